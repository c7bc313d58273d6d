// How old is what is shown: a word in the head of the page, and a bar across it when nothing comes.

import { key } from "./api.js";
import { h } from "./dom.js";
import { clock, span } from "./format.js";

const FRESH = 20_000; // ms: a heartbeat comes each 15 s

/** Return `live`, `stale`, `lost` or `connecting`. Pure. */
export function condition({ state, heardAt }, now) {
  return state === "live" && now - heardAt > FRESH ? "stale" : state;
}

const WORDS = { live: "Live", stale: "Stale", lost: "Offline", connecting: "Connecting" };

/** Show it, and mark the page: figures that may be old are grey. */
export function showLink(store) {
  const now = Date.now();
  const is = condition(store.link, now);
  const link = document.getElementById("link");
  if (link.textContent !== WORDS[is]) link.textContent = WORDS[is];
  link.className = `link ${is}`;
  document.body.classList.toggle("stale", is === "lost" || is === "stale");
  document.getElementById("key").textContent = key.get() ? "Key ✓" : "Key";
  if (store.status) {
    document.getElementById("version").textContent = `stratd ${store.status.version} on ${store.status.host}`;
  }
  const lost = document.getElementById("lost");
  const shown = is === "lost" || is === "stale";
  if (shown && lost.hidden) {
    lost.replaceChildren(h("span", {}), h("button", { type: "button", class: "quiet", onclick: () => store.hurry() }, "Try now"));
  }
  lost.hidden = !shown;
  if (shown) {
    const since = store.link.heardAt ? ` What you see is from ${clock(store.link.heardAt * 1e6)}.` : "";
    const wait = Math.max(0, store.link.retryAt - now) / 1000;
    const next = is === "lost" ? (wait > 1 ? ` Trying again in ${span(Math.ceil(wait))}.` : " Trying again.") : "";
    const text = is === "lost" ? `No connection to the daemon.${since}` : `Nothing has come for a while.${since}`;
    // The seconds are for the eye: an alert that counts would be read aloud each second.
    const [words, seconds] = [lost.firstElementChild, next];
    if (words.firstChild?.data !== text) words.replaceChildren(text, h("span", { "aria-hidden": "true" }));
    words.lastElementChild.textContent = seconds;
  }
}
