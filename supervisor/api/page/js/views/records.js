// The records of one deployment, each in its panel: newest first, never without a word where there are none.

import { h } from "../dom.js";
import { NOTHING, amount, gain, instant, megabytes, money, side, span } from "../format.js";
import { facts, pill, section, table, time } from "../parts.js";
import { EVENT_COLUMNS } from "./events.js";

const SHOWN = 50;
const latest = (records) => records.slice(-SHOWN).reverse();

export function signals(records) {
  return section("Signals", table("Signals", [
    { key: "at", head: "At", cell: (one) => time(one.decided_at) },
    { key: "symbol", head: "Symbol", cell: (one) => one.symbol ?? NOTHING },
    { key: "intent", head: "Intent", cell: (one) => (one.intent ?? NOTHING).replaceAll("_", " ") },
    { key: "quantity", head: "Quantity", number: true, cell: (one) => amount(one.quantity) },
    { key: "verdict", head: "Verdict", cell: (one) => [pill(one.verdict), one.rule ? h("small", {}, one.rule) : null] },
    { key: "detail", head: "Why", cell: (one) => one.detail || one.reason || "" },
  ], latest(records), { key: (one) => String(one.seq), empty: "It has asked for nothing yet." }));
}

export function trades(records) {
  return section("Fills", table("Fills", [
    { key: "at", head: "At", cell: (one) => time(one.at) },
    { key: "symbol", head: "Symbol", cell: (one) => one.symbol },
    { key: "quantity", head: "Quantity", number: true, cell: (one) => amount(one.quantity) },
    { key: "price", head: "Price", number: true, cell: (one) => amount(one.price) },
    { key: "fee", head: "Fee", number: true, cell: (one) => money(one.fee) },
    { key: "profit", head: "Profit", number: true, cell: (one) => h("span", { class: side(one.profit) }, gain(one.profit)) },
    { key: "role", head: "Asked by", cell: (one) => one.role },
  ], latest(records), { key: (one) => String(one.seq), empty: "Nothing was filled yet." }));
}

/** The exits that the engine keeps of a position. */
function guard(kept) {
  if (!kept) return null;
  const stop = kept.trailing_stop ?? kept.stop;
  const parts = [stop !== null && `stop ${amount(stop)}`, kept.target !== null && `target ${amount(kept.target)}`];
  return h("small", {}, parts.filter(Boolean).join(", "));
}

export function positions(rows) {
  return section("Positions", table("Positions", [
    { key: "symbol", head: "Symbol", cell: (one) => [h("strong", {}, one.symbol), guard(one.guard)] },
    { key: "quantity", head: "Quantity", number: true, cell: (one) => one.quantity === 0 ? "flat" : [amount(one.quantity), h("small", {}, ` at ${amount(one.average_price)}`)] },
    { key: "unrealised", head: "Unrealised", number: true, cell: (one) => h("span", { class: side(one.unrealised) }, gain(one.unrealised)) },
    { key: "realised", head: "Realised", number: true, cell: (one) => [h("span", { class: side(one.realised) }, gain(one.realised)),
      h("small", {}, ` ${one.currency}`)] },
  ], rows, { key: (one) => one.symbol, empty: "It holds nothing." }));
}

/** What it has earned, by its fills; a dash is unknown. */
export function figures(known) {
  if (!known || !known.trades) return null;
  const percent = (share) => (share === null ? NOTHING : `${(share * 100).toFixed(0)}%`);
  const coloured = (value) => h("span", { class: side(value) }, gain(value));
  return section("Performance", facts([
    ["Realised", coloured(known.realised)],
    ["Unrealised", coloured(known.unrealised)],
    ["Fees", money(known.fees)],
    ["Round trips", `${known.trips}, ${known.wins} won, ${known.losses} lost`],
    ["Win rate", percent(known.win_rate)],
    ["Profit factor", known.profit_factor === null ? NOTHING : known.profit_factor.toFixed(2)],
    ["Best / worst", h("span", {}, gain(known.best), " / ", gain(known.worst))],
    ["Deepest fall", money(known.max_drawdown)],
  ]));
}

export function orders(records) {
  return section("Orders", table("Orders", [
    { key: "symbol", head: "Symbol", cell: (one) => [one.symbol, h("small", {}, one.kind.replaceAll("_", " "))] },
    { key: "quantity", head: "Quantity", number: true, cell: (one) => `${amount(one.filled)} of ${amount(one.quantity)}` },
    { key: "price", head: "Price", number: true, cell: (one) => amount(one.limit_price ?? one.stop_price) },
    { key: "status", head: "Status", cell: (one) => pill(one.status, one.status === "filled" ? "good" : one.status === "waiting" ? "busy" : "") },
  ], latest(records).slice(0, 20), { key: (one) => one.order_id, empty: "It has ordered nothing yet." }));
}

export function events(records) {
  const columns = EVENT_COLUMNS.filter((column) => column.key !== "of");
  return section("Events", table("Events of this deployment", columns, latest(records), { key: (one) => String(one.seq), empty: "Nothing has happened yet." }));
}

export function parameters(known) {
  const rows = Object.entries({ ...known?.parameters, ...known?.risk });
  return section("Parameters and risk", table("Parameters and risk", [
    { key: "name", head: "Name", cell: ([name]) => name },
    { key: "value", head: "Value", number: true, cell: ([, value]) => (typeof value === "string" ? value : JSON.stringify(value)) },
  ], rows, { key: ([name]) => name, empty: "It takes none." }));
}

export function deaths(records) {
  const list = records.map((death) => h("details", { class: "death", key: `${death.generation}-${death.at}` },
    h("summary", {}, pill(death.cause, "bad"), " ", h("small", {}, `${instant(death.at)} · instance ${death.generation}`)),
    h("div", {},
      death.detail ? h("p", {}, death.detail) : null,
      h("p", { class: "muted" }, [
        death.signal ?? (death.exit_code === null ? null : `exit code ${death.exit_code}`), `after ${span(death.uptime_s)}`,
        death.peak_memory_mb === null ? null : `at most ${megabytes(death.peak_memory_mb)}`,
        death.last_event ? `last event ${death.last_event}` : null,
      ].filter(Boolean).join(" · ")),
      death.stack ? [h("h3", {}, "Stack"), h("pre", { tabindex: 0 }, death.stack)] : null,
      death.log_tail.length ? [h("h3", {}, "Its last lines"), h("pre", { tabindex: 0 }, death.log_tail.join("\n"))] : null)));
  return section("Deaths", list.length ? list : h("p", { class: "empty" }, "It has not died."));
}
