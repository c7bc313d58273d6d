// What the daemon did, the newest first.

import { h } from "../dom.js";
import { table, time } from "../parts.js";

/** The columns of a list of events. */
export const EVENT_COLUMNS = [
  { key: "at", head: "At", cell: (event) => time(event.at) },
  { key: "kind", head: "What", cell: (event) => h("code", {}, event.kind) },
  { key: "of", head: "Deployment", cell: (event) => event.deployment_id
    ? h("a", { href: `#/deployments/${encodeURIComponent(event.deployment_id)}` }, event.deployment_id) : "" },
  { key: "detail", head: "Detail", cell: (event) => event.detail },
];

export class Events {
  title = "Events";
  #words = "";

  constructor({ store, draw }) {
    this.store = store;
    this.draw = draw;
  }

  took(topic) {
    return !["all", "events"].includes(topic);
  }

  render() {
    const wanted = this.#words.toLowerCase();
    const rows = this.store.events.filter((event) =>
      `${event.kind} ${event.deployment_id} ${event.detail}`.toLowerCase().includes(wanted)).reverse();
    return h("div", {}, h("div", { class: "head" }, h("h1", {}, "Events"),
      h("label", { class: "filter", key: "filter" }, h("span", { class: "unseen" }, "Show only"),
        h("input", { type: "search", placeholder: "Filter", key: "words", oninput: (event) => {
          this.#words = event.target.value.trim();
          this.draw();
        } }))),
    table("Events", EVENT_COLUMNS, rows, { key: (event) => String(event.seq),
      empty: h("p", {}, wanted ? "No event has these words." : "Nothing has happened yet.") }));
  }
}
