// Pages that follow what happens: when the server tells of an event, the page is fetched again and the parts
// marked data-live that differ are put in the place of the old ones. What the reader opened stays open, and
// what has the focus keeps it.
import { renewTimes } from "./times.js";

const PAUSE_MS = 250;

let waiting = 0;
let fetching = false;
let again = false;
let timer = 0;

/** @param {string} text */
function say(text) {
  const live = document.getElementById("live");
  if (live && live.textContent !== text) live.textContent = text;
}

function soon() {
  if (waiting || document.hidden) return;
  waiting = window.setTimeout(() => { waiting = 0; renew(); }, PAUSE_MS);
}

async function renew() {
  if (fetching) {
    again = true;
    return;
  }
  fetching = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
    if (answer.ok && !answer.redirected) {
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      swap(fresh);
      keepPace(Number(fresh.body.dataset.refresh));
      say("");
    }
  } catch {
    say("The server is out of reach; trying again.");
  } finally {
    fetching = false;
    if (again) {
      again = false;
      soon();
    }
  }
}

/**
 * Look again after that many seconds, for what has no events; not at all when the server asks for no pace.
 * @param {number} seconds
 */
function keepPace(seconds) {
  clearTimeout(timer);
  if (!seconds) return;
  timer = window.setTimeout(() => {
    soon();
    keepPace(seconds);
  }, seconds * 1000);
}

/** @param {Document} fresh */
function swap(fresh) {
  renewTimes(fresh);
  for (const old of document.querySelectorAll("[data-live]")) {
    const now = fresh.getElementById(old.id);
    if (!now || plain(old) === plain(now) || isBusy(old)) continue;
    replace(old, document.importNode(now, true));
  }
}

/**
 * The markup without what only this page added.
 * @param {Element} part
 */
function plain(part) {
  const copy = /** @type {Element} */ (part.cloneNode(true));
  for (const details of copy.querySelectorAll("details")) details.removeAttribute("open");
  for (const row of copy.querySelectorAll("tr.at")) row.classList.remove("at");
  for (const node of copy.querySelectorAll("[class='']")) node.removeAttribute("class");
  return copy.innerHTML;
}

/**
 * Whether somebody is filling in a form there.
 * @param {Element} part
 */
function isBusy(part) {
  const field = document.activeElement;
  return field instanceof HTMLInputElement && part.contains(field);
}

/**
 * @param {Element} old
 * @param {Element} now
 */
function replace(old, now) {
  const open = [...old.querySelectorAll("details[open][id]")].map((details) => details.id);
  const scrolled = [...old.querySelectorAll(".log, .scroll")].map((box) => ({
    left: box.scrollLeft,
    top: box.scrollTop,
    atEnd: box.scrollTop + box.clientHeight >= box.scrollHeight - 4,
  }));
  const focus = old.contains(document.activeElement) ? pathTo(old, document.activeElement) : null;
  old.replaceWith(now);
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  now.querySelectorAll(".log, .scroll").forEach((box, index) => {
    const before = scrolled[index];
    if (!before) return;
    box.scrollLeft = before.left;
    box.scrollTop = before.atEnd && box.classList.contains("log") ? box.scrollHeight : before.top;
  });
  const target = focus?.href
    ? [...now.querySelectorAll("a")].find((link) => link.getAttribute("href") === focus.href)
    : focus?.id ? document.getElementById(focus.id) : null;
  if (target instanceof HTMLElement) target.focus({ preventScroll: true });
}

/**
 * How to find an element again in new markup.
 * @param {Element} part
 * @param {Element | null} element
 */
function pathTo(part, element) {
  if (!element || element === part) return null;
  return { href: element.getAttribute("href"), id: element.closest("[id]")?.id ?? null };
}

export function startLive() {
  const address = document.body.dataset.events;
  if (!address || !document.querySelector("[data-live]")) return;
  const stream = new EventSource(address);
  stream.onmessage = soon;
  stream.onerror = () => say("Waiting for the server.");
  stream.onopen = () => { say(""); };
  addEventListener("pagehide", () => stream.close());
  document.addEventListener("visibilitychange", soon);
  keepPace(Number(document.body.dataset.refresh));
  const log = document.querySelector(".log");
  if (log) log.scrollTop = log.scrollHeight;
}
