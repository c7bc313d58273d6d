// How old is what is shown: a word in the head of the page, and a bar across it when nothing comes.

import { key, locked } from "./api.js";
import { changeKey } from "./dialogs.js";
import { h } from "./dom.js";
import { clock, span } from "./format.js";

const FRESH = 20_000; // ms: a heartbeat comes each 15 s
const ASKED = 12_000; // ms: without a stream the daemon is asked each 5 s

/**
 * Return `live` (the stream runs), `stale` (it is open, and silent), `slow` (there is none, but questions are
 * answered), `refused` (this key may not look), `lost` or `connecting`. Pure.
 */
export function condition({ state, heardAt, askedAt, unanswered, refused }, now) {
  if (state === "live") return now - heardAt > FRESH ? "stale" : "live";
  if (state === "lost" && refused) return "refused";
  return state === "lost" && !unanswered && now - askedAt < ASKED ? "slow" : state;
}

const WORDS = {
  locked: "No key", refused: "Refused", live: "Live", slow: "Every 5 s", stale: "Stale", lost: "Offline",
  connecting: "Connecting",
};

const TROUBLES = {
  lost: "No connection to the daemon.", stale: "Nothing has come for a while.",
  locked: "This daemon wants to know who you are.",
};

const sentence = (words) => words.charAt(0).toUpperCase() + words.slice(1);

/** Show it, and mark the page: figures that may be old are grey. */
export function showLink(store) {
  const now = Date.now();
  const is = locked.is ? "locked" : condition(store.link, now);
  const link = document.getElementById("link");
  if (link.textContent !== WORDS[is]) link.textContent = WORDS[is];
  link.className = `link ${is}`;
  const old = ["lost", "stale", "locked", "refused"].includes(is);
  document.body.classList.toggle("stale", old);
  document.getElementById("key").textContent = key.get() ? "Key ✓" : "Key";
  if (store.status) {
    document.getElementById("version").textContent = `stratd ${store.status.version} on ${store.status.host}`;
  }
  showOutage(store, old ? is : "", now);
}

function showOutage(store, is, now) {
  const bar = document.getElementById("outage");
  if (is && bar.hidden) {
    bar.replaceChildren(h("span", {}, h("span", {}), h("span", { "aria-hidden": "true" })),
      h("button", { type: "button", class: "quiet" }));
  }
  bar.hidden = !is;
  if (!is) return;
  const button = bar.lastElementChild;
  const keyed = is === "locked" || is === "refused";
  button.textContent = is === "locked" ? "Give a key" : keyed ? "Another key" : "Try now";
  button.onclick = async () => (!keyed || (await changeKey())) && store.hurry();
  const known = Math.max(store.link.heardAt, store.link.askedAt);
  const since = known ? ` What you see is from ${clock(known * 1e6)}.` : "";
  const text = (is === "refused" ? `${sentence(store.link.refused)}.` : TROUBLES[is]) + since;
  const [words, seconds] = bar.firstElementChild.children;
  if (words.textContent !== text) words.textContent = text;
  // The seconds are for the eye: an alert that counts would be read aloud each second.
  const wait = Math.ceil((store.link.retryAt - now) / 1000);
  seconds.textContent = is !== "lost" ? "" : wait > 0 ? ` Trying again in ${span(wait).replace(".0", "")}.` : " Trying again.";
}
