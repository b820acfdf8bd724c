// "3 min ago" goes on being true while a page stays open.

/**
 * The words of `ago` in ui/format.py.
 * @param {number} seconds
 */
export function ago(seconds) {
  const size = Math.abs(seconds);
  if (size < 5) return "just now";
  const text =
    size < 60 ? `${Math.floor(size)} s`
    : size < 3600 ? `${Math.floor(size / 60)} min`
    : size < 86400 ? `${Math.floor(size / 3600)} h`
    : `${Math.floor(size / 86400)} d`;
  return seconds > 0 ? `${text} ago` : `in ${text}`;
}

export function renewTimes(root = document) {
  const now = Date.now();
  for (const time of root.querySelectorAll("time:not([data-exact])")) {
    const text = ago((now - Date.parse(time.getAttribute("datetime") ?? "")) / 1000);
    if (time.textContent !== text) time.textContent = text;
  }
}

export function startTimes() {
  setInterval(() => { if (!document.hidden) renewTimes(); }, 10_000);
}
