// The page: which view is shown, and what keeps it true.

import { whenUnauthorized } from "./api.js";
import { askForKey, changeKey } from "./dialogs.js";
import { morph } from "./dom.js";
import { Store } from "./store.js";
import { showLink } from "./link.js";
import { Accounts } from "./views/accounts.js";
import { Deployment } from "./views/deployment.js";
import { Events } from "./views/events.js";
import { Feeds } from "./views/feeds.js";
import { Missing } from "./views/missing.js";
import { Overview } from "./views/overview.js";
import { Register } from "./views/register.js";
import { Start } from "./views/start.js";
import { Strategies } from "./views/strategies.js";

const ROUTES = [
  [/^\/?$/, Overview],
  [/^\/deployments\/([^/]+)$/, Deployment],
  [/^\/accounts$/, Accounts],
  [/^\/feeds$/, Feeds],
  [/^\/strategies$/, Strategies],
  [/^\/start\/([^/]+)$/, Start],
  [/^\/register$/, Register],
  [/^\/events$/, Events],
];
const PACE = 250; // ms between two drawings, however much happens

const main = document.getElementById("main");
const store = new Store();
let view = null;
let drawing = 0;

/**
 * A view has `title` and `render()`, a tree of what is known now; it may have `start()` (once it is shown), `stop()`,
 * `mounted(root)`, and `took(topic, data)` (true: only that view's own parts changed, nothing is to be drawn).
 */
function show() {
  const path = location.hash.replace(/^#/, "");
  view?.stop?.();
  view = viewAt(path);
  document.title = `${view.title} · stratd`;
  main.replaceChildren(view.render());
  for (const link of document.querySelectorAll("nav a")) {
    const mine = link.hash.slice(1);
    const current = mine === "/" ? ["/", ""].includes(path) || path.startsWith("/deployments") : path.startsWith(mine);
    if (current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  view.mounted?.(main.firstElementChild);
  view.start?.();
}

function viewAt(path) {
  const [pattern, View] = ROUTES.find(([pattern]) => pattern.test(path)) ?? [/^/, Missing];
  try {
    return new View({ store, draw }, ...pattern.exec(path).slice(1).map(decodeURIComponent));
  } catch (error) {
    if (error instanceof URIError) return new Missing(); // half of an address: `%` and no two digits behind it
    throw error;
  }
}

/** Draw what is known now, soon: at once would be too often. */
function draw() {
  drawing ||= setTimeout(() => {
    drawing = 0;
    morph(main.firstElementChild, view.render());
    view.mounted?.(main.firstElementChild);
  }, PACE);
}

store.listeners.add((topic, data) => {
  if (topic === "link") showLink(store);
  if (!view?.took?.(topic, data)) draw();
});

addEventListener("hashchange", () => {
  show();
  scrollTo(0, 0);
  // So that a reader who hears the page is told where they are, and goes on from there by keyboard.
  const heading = main.querySelector("h1");
  heading?.setAttribute("tabindex", "-1");
  heading?.focus({ preventScroll: true });
});

document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address is the view's
  main.focus();
});

document.getElementById("key").addEventListener("click", async () => {
  if (await changeKey()) store.hurry();
});

whenUnauthorized(askForKey);
show();
showLink(store);
setInterval(() => showLink(store), 1000);
store.start();
