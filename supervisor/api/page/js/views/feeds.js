// What comes in, and how well.

import { h } from "../dom.js";
import { NOTHING, count, lag } from "../format.js";
import { pill, table, time } from "../parts.js";

const sum = (counts) => Object.values(counts).reduce((one, other) => one + other, 0);

export class Feeds {
  title = "Feeds";

  constructor({ store }) {
    this.store = store;
  }

  render() {
    const feeds = [...this.store.feeds.values()];
    return h("div", {}, h("div", { class: "head" }, h("h1", {}, "Feeds")),
      table("Feeds", COLUMNS, feeds, { key: (feed) => feed.name, empty: [
        h("p", {}, "No feed is configured, so no strategy hears of a market."),
        h("p", {}, "Write ", h("code", {}, "[feeds.NAME]"), " with its ", h("code", {}, "endpoint"),
          " into the configuration file, and reload the daemon."),
      ] }),
      feeds.filter((feed) => Object.keys(feed.examples).length).map(refused));
  }
}

const COLUMNS = [
  { key: "name", head: "Feed", cell: (feed) => [h("strong", {}, feed.name), h("small", {}, `${feed.format} · ${feed.endpoint}`)] },
  { key: "state", head: "State", cell: (feed) => pill(feed.state) },
  { key: "symbols", head: "Symbols", number: true, cell: (feed) => count(feed.symbols) },
  { key: "ticks", head: "Ticks", number: true, cell: (feed) => count(feed.ticks) },
  { key: "bars", head: "Bars", number: true, cell: (feed) => count(feed.bars) },
  { key: "lag", head: "Lag", number: true, cell: (feed) => lag(feed.lag_ms) },
  { key: "last", head: "Last tick", cell: (feed) => time(feed.last_tick_at) },
  { key: "gaps", head: "Gaps", number: true, cell: (feed) => feed.sequenced ? count(feed.gaps) : h("span", {
    class: "muted", title: "Its publisher sends no numbers, so gaps cannot be told" }, NOTHING) },
  { key: "recovered", head: "Recovered", number: true, cell: (feed) => count(feed.recovered) },
  { key: "late", head: "Late", number: true, cell: (feed) => count(feed.late) },
  { key: "rejected", head: "Refused", number: true, cell: (feed) => h("span", {
    class: sum(feed.rejected) ? "bad" : null }, count(sum(feed.rejected))) },
];

function refused(feed) {
  return h("details", { key: `refused-${feed.name}`, class: "panel" },
    h("summary", {}, `What was refused of ${feed.name}`),
    table(`Refused of ${feed.name}`, [
      { key: "reason", head: "Reason", cell: ([reason]) => reason },
      { key: "count", head: "Times", number: true, cell: ([reason]) => count(feed.rejected[reason] ?? feed.ignored[reason] ?? 0) },
      { key: "example", head: "The last one", cell: ([, example]) => h("code", {}, example) },
    ], Object.entries(feed.examples), { key: ([reason]) => reason }));
}
