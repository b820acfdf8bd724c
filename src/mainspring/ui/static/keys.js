// Keys: "/" to search, j and k along the rows of the first table, Enter to open the row, Escape to let go.

/** @param {EventTarget | null} target */
function isTyping(target) {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

/** @param {number} step */
function move(step) {
  const rows = [...document.querySelectorAll("table.rows tbody tr")].filter((row) => row.querySelector("a"));
  if (!rows.length) return;
  const at = rows.findIndex((row) => row.classList.contains("at"));
  const next = Math.max(0, Math.min(rows.length - 1, at < 0 ? (step > 0 ? 0 : rows.length - 1) : at + step));
  rows[at]?.classList.remove("at");
  rows[next].classList.add("at");
  const link = rows[next].querySelector("a");
  if (link instanceof HTMLElement) link.focus({ preventScroll: true });
  rows[next].scrollIntoView({ block: "nearest" });
}

export function startKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const search = document.getElementById("search");
    if (event.key === "Escape") {
      if (event.target === search) search.blur();
      for (const open of document.querySelectorAll(".actions details[open]")) open.removeAttribute("open");
      return;
    }
    if (isTyping(event.target)) return;
    if (event.key === "/") {
      event.preventDefault();
      search?.focus();
    } else if (event.key === "j") {
      move(1);
    } else if (event.key === "k") {
      move(-1);
    }
  });
}
