// Small pieces that every view is made of.

import { h } from "./dom.js";
import { NOTHING, clock, gain, instant, megabytes, side } from "./format.js";
import { LABELS, act, verbs } from "./actions.js";

const TONES = {
  running: "good", starting: "busy", warming: "busy", stopping: "busy", paused: "warn", backoff: "warn",
  failed: "bad", quarantined: "bad", healthy: "good", stale: "warn", disconnected: "bad", unknown: "",
  accepted: "good", modified: "good", rejected: "bad", expired: "warn", duplicate: "", pending: "warn", ok: "good", broken: "bad",
};

/** A word with its dot; the word says it all, the colour only helps to find it. */
export const pill = (word, tone = TONES[word] ?? "") => h("span", { class: `pill ${tone}` }, word);

/** How much of a quota is used: a bar, and the figure beside it. */
export function bar(used, quota, text, label) {
  const unknown = used === null || used === undefined;
  const share = unknown || !quota ? 0 : Math.max(0, Math.min(1, used / quota));
  return h("div", { class: "use" },
    h("div", {
      class: `bar ${share > 0.9 ? "bad" : share > 0.7 ? "warn" : ""}`, role: "meter", "aria-label": label,
      "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": Math.round(share * 100), "aria-valuetext": text,
    }, h("i", { style: { width: `${(share * 100).toFixed(1)}%` } })),
    h("span", { class: "number" }, text));
}

/** CPU against its quota: `quota.cpu` is in cores, `cpu_percent` of one core. */
export function cpu(row) {
  const text = row.cpu_percent === null ? NOTHING : `${row.cpu_percent.toFixed(1)}%`;
  return bar(row.cpu_percent, row.quota.cpu * 100, text, `CPU of ${row.id}, of ${row.quota.cpu} cores`);
}

export function memory(row) {
  const label = `Memory of ${row.id}, of ${megabytes(row.quota.memory_mb)}`;
  return bar(row.memory_mb, row.quota.memory_mb, megabytes(row.memory_mb), label);
}

/** Profit and loss, a line a currency. */
export function profit(sums) {
  if (!sums.length) return h("span", { class: "muted" }, NOTHING);
  return sums.map(([currency, value]) => h("div", { class: `number ${side(value)}` },
    gain(value), " ", h("small", {}, currency)));
}

/** An instant: the time of day, the date behind it. */
export function time(nanos) {
  if (!nanos) return h("span", { class: "muted" }, NOTHING);
  return h("time", { datetime: new Date(nanos / 1e6).toISOString(), title: instant(nanos) }, clock(nanos));
}

/** The buttons of one deployment. */
export function buttons(row, more = []) {
  return h("div", { class: "verbs", role: "group", "aria-label": `Actions on ${row.id}` },
    [...verbs(row), ...more].map((verb) => h("button", {
      type: "button", key: verb, class: verb === "kill" || verb === "remove" ? "danger quiet" : "quiet",
      "aria-label": `${LABELS[verb]} ${row.id}`, onclick: () => act(verb, row.id),
    }, LABELS[verb])));
}

/**
 * A table: `columns` are `{key, head, cell(row), number, sort}`; on a narrow screen each row is a card whose
 * cells say what they are. Roles are written out, for a table that is shown as cards would lose them.
 */
export function table(label, columns, rows, { key, empty, sorted, onsort } = {}) {
  if (!rows.length) return h("div", { class: "empty" }, empty);
  return h("div", { class: columns.length > 7 ? "scroll many" : "scroll few", role: "region", "aria-label": label, tabindex: 0 },
    h("table", { role: "table", "aria-label": label },
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, columns.map((column) => head(column, sorted, onsort)))),
      h("tbody", { role: "rowgroup" }, rows.map((row, at) => h("tr", { role: "row", key: key ? key(row) : String(at) },
        columns.map((column) => h("td", {
          role: "cell", key: column.key, class: `c-${column.key}${column.number ? " number" : ""}`,
          "data-head": column.head,
        }, column.cell(row))))))));
}

function head(column, sorted, onsort) {
  const mine = sorted?.key === column.key;
  const order = mine ? (sorted.down ? "descending" : "ascending") : column.sort && onsort ? "none" : null;
  return h("th", { role: "columnheader", scope: "col", key: column.key, class: column.number ? "number" : null,
    "aria-sort": order },
  column.sort && onsort
    ? h("button", { type: "button", class: "sort", onclick: () => onsort(column.key) }, column.head,
      h("span", { "aria-hidden": "true", class: "arrow" }, mine ? (sorted.down ? "↓" : "↑") : ""))
    : column.head);
}

/** Facts in two columns: `[[name, value], ...]`. */
export function facts(pairs) {
  return h("dl", { class: "facts" }, pairs.filter(([, value]) => value !== null).map(([name, value]) =>
    h("div", { key: name }, h("dt", {}, name), h("dd", {}, value))));
}

/** A part of a page under its own heading. */
export function section(title, ...inside) {
  const id = `s-${title.toLowerCase().replace(/[^a-z]+/g, "-")}`;
  return h("section", { "aria-labelledby": id, key: id, class: "panel" }, h("h2", { id }, title), inside);
}

/** The latch that bars something, with who set it and why. */
export function latch(found) {
  if (!found) return h("span", { class: "muted" }, "none");
  const why = found.reason || found.rule;
  return h("span", {}, pill(found.kind, "bad"), h("small", { class: "why" },
    found.by === "operator" ? `by an operator${why ? `: ${why}` : ""}` : `by the limit ${found.rule}${found.reason ? `: ${found.reason}` : ""}`));
}
