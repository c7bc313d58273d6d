// All deployments, live.

import { waiting } from "../approvals.js";
import { h } from "../dom.js";
import { NOTHING, ago, count, lag } from "../format.js";
import { buttons, cpu, memory, pill, profit, table } from "../parts.js";

const death = (row) => row.last_death;

/** Sorts and what they go by; those who have none of it are last, whichever way it goes. */
const SORTS = {
  id: (row) => row.id,
  state: (row) => row.state,
  profit: (row, store) => store.profits(row.id)[0]?.[1] ?? null,
  cpu: (row) => row.cpu_percent,
  memory: (row) => row.memory_mb,
  lag: (row) => row.lag_ms,
  signals: (row) => row.signals.accepted,
  death: (row) => death(row)?.at ?? null,
};

/** Return `rows` in order. Pure. */
export function inOrder(rows, { key, down }, store) {
  const by = new Map(rows.map((row) => [row.id, SORTS[key](row, store)]));
  const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b);
  return [...rows].sort((one, other) => {
    const [a, b] = [by.get(one.id), by.get(other.id)];
    if (a === null || b === null) return (a === null) - (b === null) || one.id.localeCompare(other.id);
    return (down ? compare(b, a) : compare(a, b)) || one.id.localeCompare(other.id);
  });
}

/** Whether a row has the words that the reader typed, in any order. Pure. */
export function matches(row, words) {
  const text = [row.id, row.strategy, row.version, row.account, row.mode, row.state, ...row.symbols].join(" ").toLowerCase();
  return words.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

export class Overview {
  title = "Deployments";
  #words = "";
  #sorted = { key: "id", down: false };

  constructor({ store, draw }) {
    this.store = store;
    this.draw = draw;
  }

  render() {
    const { store } = this;
    const all = [...store.deployments.values()];
    const rows = inOrder(all.filter((row) => matches(row, this.#words)), this.#sorted, store);
    return h("div", {},
      h("div", { class: "head" }, h("h1", {}, "Deployments"),
        h("label", { class: "filter", key: "filter" }, h("span", { class: "unseen" }, "Show only"),
          h("input", { type: "search", placeholder: "Filter", key: "words", oninput: (event) => {
            this.#words = event.target.value.trim();
            this.draw();
          } })),
        h("a", { class: "button primary", href: "#/strategies" }, "Start a strategy")),
      summary(store), problems(store.status), waiting(store),
      table("Deployments", this.#columns(), rows, {
        key: (row) => row.id, empty: empty(all, store), sorted: this.#sorted,
        onsort: (key) => {
          this.#sorted = { key, down: this.#sorted.key === key ? !this.#sorted.down : false };
          this.draw();
        },
      }));
  }

  #columns() {
    const { store } = this;
    const now = Date.now();
    return [
      { key: "id", head: "Deployment", sort: true, cell: name },
      { key: "state", head: "State", sort: true, cell: state },
      { key: "mode", head: "Mode", cell: (row) => row.mode === "live" ? pill("live", "live") : row.mode },
      { key: "profit", head: "Profit / loss", sort: true, number: true, cell: (row) => profit(store.profits(row.id)) },
      { key: "cpu", head: "CPU", sort: true, cell: cpu },
      { key: "memory", head: "Memory", sort: true, cell: memory },
      { key: "lag", head: "Lag", sort: true, number: true, cell: (row) => lag(row.lag_ms) },
      { key: "signals", head: "Signals", sort: true, number: true, cell: signals },
      { key: "death", head: "Last death", sort: true, cell: (row) => death(row)
        ? h("span", { title: death(row).detail }, death(row).cause, h("small", {}, ago(death(row).at, now)))
        : h("span", { class: "muted" }, NOTHING) },
      { key: "verbs", head: "Actions", cell: (row) => buttons(row) },
    ];
  }
}

function name(row) {
  return [h("a", { href: `#/deployments/${encodeURIComponent(row.id)}`, class: "name" }, row.id),
    h("small", {}, `${row.strategy} ${row.version} · ${row.symbols.slice(0, 3).join(", ")}`
      + `${row.symbols.length > 3 ? ` +${row.symbols.length - 3}` : ""} · ${row.timeframes.join(" ")}`)];
}

function state(row) {
  const quiet = row.state === "running" || row.state === "registered";
  return [pill(row.state), row.latch && pill(`latch: ${row.latch.kind}`, "bad"),
    row.reason && !quiet ? h("small", { class: "why" }, row.reason) : null];
}

function signals({ signals: { accepted, rejected, expired } }) {
  const refused = rejected + expired;
  return h("span", { title: `${accepted} accepted, ${rejected} rejected, ${expired} expired` }, count(accepted),
    refused ? h("small", { class: "bad" }, `${count(refused)} refused`) : null);
}

function summary({ status, feeds, deployments }) {
  if (!status) return null;
  const well = [...feeds.values()].filter((feed) => feed.state === "healthy").length;
  const running = [...deployments.values()].filter((row) => row.state === "running").length;
  const facts = [
    ["Daemon", pill(status.state, status.state === "running" ? "good" : "warn")],
    ["Running", `${running} of ${deployments.size}`],
    ["Slots", `${status.running} of ${status.max_concurrent}`],
    ["Feeds", h("span", { class: well < feeds.size ? "bad" : "" }, `${well} of ${feeds.size} healthy`)],
    ["Signals", `${count(status.signals.accepted)} accepted, ${count(status.signals.rejected)} rejected`],
    ["Loop lag", lag(status.loop_lag_ms)],
  ];
  return h("dl", { class: "summary", key: "summary" }, facts.map(([term, value]) =>
    h("div", { key: term }, h("dt", {}, term), h("dd", {}, value))));
}

function problems(status) {
  const lines = [
    ...(status?.problems ?? []),
    ...(status?.latches ?? []).map((one) => `${one.scope} ${one.name} is barred (${one.kind}): ${one.reason || one.rule}`),
  ];
  if (!lines.length) return null;
  return h("ul", { class: "problems", key: "problems", "aria-label": "Problems" }, lines.map((line) => h("li", {}, line)));
}

function empty(all, store) {
  if (all.length) return h("p", {}, "No deployment has these words. Clear the filter to see all of them.");
  if (store.link.state !== "live" && !store.status) return h("p", {}, "Asking the daemon…");
  return [h("p", {}, "Nothing is deployed yet."),
    h("p", {}, h("a", { href: "#/strategies" }, "Start one of the strategies"), ", or ",
      h("a", { href: "#/register" }, "register your own"), ".")];
}
