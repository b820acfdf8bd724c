// The light and dark switch, at once and without loading the page again; the server keeps it in a cookie.

/** The theme that is shown now. */
function shown() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
}

export function startTheme() {
  const button = document.getElementById("theme");
  if (!(button instanceof HTMLButtonElement) || !button.form) return;
  const form = button.form;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const theme = shown() === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    const fields = new URLSearchParams();
    for (const [name, value] of new FormData(form)) fields.append(name, String(value));
    fields.set("theme", theme);
    await fetch(form.action, { method: "POST", body: fields, redirect: "manual" });
  });
}
