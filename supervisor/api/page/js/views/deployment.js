// One deployment: what it is, what it did, what became of it.

import { get, part } from "../api.js";
import { Curve, PriceChart } from "../chart.js";
import { h } from "../dom.js";
import { amount, count, lag, money, span } from "../format.js";
import { LogTail } from "../logs.js";
import { buttons, cpu, facts, latch, memory, pill, profit, section } from "../parts.js";
import { keep } from "../store.js";
import { Inspected } from "./inspected.js";
import { deaths, events, figures, orders, parameters, positions, signals, trades } from "./records.js";

const AGAIN = 4000; // ms between two looks at candles and at what is held
const CANDLES = 500;
const RECORDS = 200;

export class Deployment {
  #known = null;
  #problem = "";
  #series = null;
  #candles = [];
  #signals = [];
  #trades = [];
  #orders = [];
  #events = [];
  #equity = null;
  #figures = null;
  #chart = null;
  #curve = null;
  #tail = null;
  #timer = 0;
  #soon = 0;
  #shown = true;
  #hurried = false;

  constructor({ store, draw }, id) {
    this.store = store;
    this.draw = draw;
    this.id = id;
    this.title = id;
    this.path = `/deployments/${part(id)}`;
    this.inspected = new Inspected(this.path, () => this.#shown && this.draw());
  }

  async start() {
    await this.#describe();
    if (!this.#known || !this.#shown) return;
    const [symbol, timeframe] = [this.#known.symbols[0], this.#known.timeframes[0]];
    this.#series = symbol && timeframe ? { symbol, timeframe } : null;
    const asked = ["signals", "events"].map((what) => get(`${this.path}/${what}?limit=${RECORDS}`));
    const [told, happened] = await Promise.all(asked.map((one) => one.catch(() => [])));
    this.#signals = told;
    this.#events = happened;
    await this.#look();
  }

  stop() {
    this.#shown = false;
    clearTimeout(this.#timer);
    clearTimeout(this.#soon);
    this.#chart?.close();
    this.#curve?.close();
    this.#tail?.close();
  }

  took(topic, data) {
    if (data?.deployment_id !== undefined && data.deployment_id !== this.id) return true;
    if (topic === "signals") keep(this.#signals, data, RECORDS);
    else if (topic === "events") {
      keep(this.#events, data, RECORDS);
      this.#soon ||= setTimeout(() => {
        this.#soon = 0;
        this.#describe();
      }, 500);
    } else if (topic === "deployments") return data.id !== this.id;
    else if (topic === "orders") {
      this.#hurry();
      return true;
    } else if (!["all", "status"].includes(topic)) return true;
    this.#chart?.mark(this.#of(this.#signals), this.#of(this.#trades));
    return false;
  }

  /** Look again soon: an order was filled or ended, and others may be at once. */
  #hurry() {
    if (this.#hurried) return;
    this.#hurried = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), 700);
  }

  #of(records) {
    return records.filter((record) => record.symbol === this.#series?.symbol);
  }

  async #describe() {
    try {
      this.#known = await get(this.path);
      this.#problem = "";
    } catch (error) {
      if (!this.#known || error.status === 404) this.#problem = error.message;
    }
    if (this.#shown) this.draw();
  }

  async #look() {
    this.#hurried = false;
    if (!document.hidden) {
      const { symbol, timeframe } = this.#series ?? {};
      const quiet = (question) => question.catch(() => null);
      const [candles, done, waiting, equity, figures] = await Promise.all([
        symbol ? quiet(get(`/candles?symbol=${part(symbol)}&timeframe=${part(timeframe)}&n=${CANDLES}`)) : null,
        quiet(get(`${this.path}/trades?limit=${RECORDS}`)),
        quiet(get(`${this.path}/orders?ended=true&limit=${RECORDS}`)),
        quiet(get(`${this.path}/equity?n=500`)),
        quiet(get(`${this.path}/performance`)),
      ]);
      if (!this.#shown) return;
      if (candles && symbol === this.#series?.symbol && timeframe === this.#series?.timeframe) {
        this.#candles = candles;
        this.#chart?.show(this.#candles);
      }
      if (done) this.#trades = done;
      if (waiting) this.#orders = waiting;
      if (equity) this.#equity = equity;
      if (figures) this.#figures = figures;
      this.#chart?.mark(this.#of(this.#signals), this.#of(this.#trades));
      this.#curve?.show(this.#equity?.points ?? []);
      await this.#describe();
    }
    clearTimeout(this.#timer);
    if (this.#shown) this.#timer = setTimeout(() => this.#look(), AGAIN);
  }

  #choose(change) {
    this.#series = { ...this.#series, ...change };
    this.#candles = [];
    this.#chart?.close();
    this.#chart = null;
    this.draw();
    this.#look();
  }

  mounted(root) {
    const chart = root.querySelector("[data-keep=chart]");
    if (chart && !this.#chart) {
      this.#chart = new PriceChart(chart);
      this.#chart.show(this.#candles);
      this.#chart.mark(this.#of(this.#signals), this.#of(this.#trades));
    }
    const curve = root.querySelector("[data-keep=curve]");
    if (curve && !this.#curve) {
      this.#curve = new Curve(curve);
      this.#curve.show(this.#equity?.points ?? []);
    }
    const log = root.querySelector("[data-keep=log]");
    if (log && !this.#tail) {
      this.#tail = new LogTail(log, this.id);
      this.#tail.start();
    }
  }

  render() {
    const row = { ...this.#known, ...this.store.deployments.get(this.id) };
    if (this.#problem) {
      return h("div", {}, h("h1", {}, this.id), h("p", { class: "empty" }, this.#problem, " ",
        h("a", { href: "#/" }, "All deployments")));
    }
    if (!row.id) return h("div", {}, h("h1", {}, this.id), h("p", { class: "empty" }, "Asking the daemon…"));
    return h("div", {}, this.#head(row), h("div", { class: "deployment" },
      h("div", { class: "column", key: "main" }, this.#prices(row), signals(this.#signals), trades(this.#trades), this.#log(),
        deaths(this.#known?.deaths ?? []), events(this.#events)),
      h("div", { class: "column", key: "side" }, this.#now(row), this.inspected.section(row.state), this.#money(), figures(this.#figures), positions(this.#known?.positions ?? []),
        orders(this.#orders), parameters(this.#known))));
  }

  #head(row) {
    const more = row.latch ? ["rearm"] : row.mode && ["running", "paused", "warming"].includes(row.state) ? ["flatten"] : [];
    return h("div", { class: "head" }, h("h1", {}, row.id), pill(row.state),
      row.mode === "live" ? pill("live", "live") : h("span", { class: "muted" }, row.mode), buttons(row, more));
  }

  #now(row) {
    const { accepted, rejected, expired, duplicate } = row.signals;
    return section("Now", row.reason ? h("p", { class: "inside" }, row.reason) : null, facts([
      ["Strategy", `${row.strategy} ${row.version}`],
      ["Account", row.account],
      ["Profit / loss", profit(this.store.profits(this.id))],
      ["Schedule", this.#known?.schedule?.text ?? null],
      ["Latch", row.latch ? latch(row.latch) : null],
      ["CPU", cpu(row)],
      ["Memory", memory(row)],
      ["Lag", lag(row.lag_ms)],
      ["Up for", span(row.uptime_s)],
      ["Restarts", count(row.restarts)],
      ["Signals", `${count(accepted)} accepted, ${count(rejected)} rejected, ${count(expired)} expired, ${count(duplicate)} repeated`],
      ["Ticks", count(row.ticks)],
      ["Candles", count(row.candles)],
      ["Gaps", count(row.gaps)],
      ["Longest call", this.#known ? lag(this.#known.longest_call_ms) : null],
      ["Process", row.pid === null ? null : `pid ${row.pid}, instance ${row.generation}`],
    ]));
  }

  #prices({ symbols, timeframes }) {
    const series = this.#series;
    const last = this.#candles.at(-1);
    const title = series ? `${series.symbol} ${series.timeframe}` : "Prices";
    const choice = (label, all, name) => all.length > 1 ? h("label", { key: name }, h("span", { class: "unseen" }, label),
      h("select", { onchange: (event) => this.#choose({ [name]: event.target.value }) },
        all.map((one) => h("option", { value: one, selected: one === series?.[name] }, one)))) : null;
    const said = last ? `Candles of ${title}, the last closed at ${amount(last.close)}, with ${this.#of(this.#signals).length} `
      + `signals and ${this.#of(this.#trades).length} fills; both are listed below.` : "";
    return h("section", { class: "panel", "aria-labelledby": "s-prices", key: "prices" },
      h("header", {}, h("h2", { id: "s-prices" }, title), choice("Symbol", symbols, "symbol"), choice("Timeframe", timeframes, "timeframe")),
      last ? h("div", { class: "chart", key: `chart-${title}`, keep: "chart", role: "img", "aria-label": said })
        : h("p", { class: "empty", key: "none" }, "No candle has closed yet."),
      last ? h("p", { class: "legend", key: "legend" }, h("b", { class: "up", "data-sign": "▲" }, "signal to buy"),
        h("b", { class: "down", "data-sign": "▼" }, "signal to sell"), h("b", { "data-sign": "▲▼" }, "refused"),
        h("b", { class: "fill", "data-sign": "●" }, "fill")) : null);
  }

  #money() {
    const { points = [], currency } = this.#equity ?? {};
    const last = points.at(-1);
    const name = last && last.equity === null ? "Profit after each fill" : "Equity after each fill";
    return h("section", { class: "panel", "aria-labelledby": "s-equity", key: "equity" },
      h("h2", { id: "s-equity" }, name, currency ? h("small", {}, ` ${currency}`) : null),
      points.length > 1 ? h("div", { class: "chart small", key: "curve", keep: "curve", role: "img",
        "aria-label": `${name}: ${points.length} points, now ${money(last.equity ?? last.profit)}` })
        : h("p", { class: "empty", key: "none" }, "A curve begins with the second fill."));
  }

  #log() {
    return section("Log", h("div", { class: "log", keep: "log", key: "log", role: "log", "aria-live": "off", "aria-label": `Log of ${this.id}`, tabindex: 0 }));
  }
}
