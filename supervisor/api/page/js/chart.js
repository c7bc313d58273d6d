// Charts: candles with what was decided and done on them, and a curve. Instants come in ns, the library has seconds.

import {
  AreaSeries, CandlestickSeries, ColorType, createChart, createSeriesMarkers,
} from "../vendor/lightweight-charts-5.2.1.js";

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const seconds = (nanos) => Math.floor(nanos / 1e9);

/** The library counts in UTC and shows what it counts: shifted, it shows the reader's own time. */
const local = (at) => at - new Date(at * 1000).getTimezoneOffset() * 60;

function look() {
  const [text, line] = [colour("--soft"), colour("--line")];
  return {
    // The library's logo brings a style element, which the page's policy refuses; the page's foot names its authors.
    layout: { background: { type: ColorType.Solid, color: "transparent" }, textColor: text, attributionLogo: false, fontFamily: "inherit" },
    grid: { vertLines: { color: line, style: 1 }, horzLines: { color: line, style: 1 } },
    rightPriceScale: { borderColor: line }, timeScale: { borderColor: line, timeVisible: true, secondsVisible: true, rightOffset: 3 },
    crosshair: { mode: 0 },
  };
}

class Chart {
  constructor(box, options = {}) {
    this.chart = createChart(box, { autoSize: true, ...look(), ...options });
    this.restyle = () => {
      this.chart.applyOptions(look());
      this.paint();
    };
    document.addEventListener("themechange", this.restyle);
  }

  close() {
    document.removeEventListener("themechange", this.restyle);
    this.chart.remove();
  }
}

/** Return candles in the order and with the digits that a chart wants; each time once. Pure. */
export function bars(candles) {
  const byTime = new Map();
  for (const candle of candles) {
    const time = local(seconds(candle.open_time));
    byTime.set(time, { time, open: candle.open, high: candle.high, low: candle.low, close: candle.close });
  }
  return [...byTime.values()].sort((one, other) => one.time - other.time);
}

/** Return digits after the point that tell the closes of `candles` apart, two to eight. Pure. */
export function digits(candles) {
  const shown = candles.slice(-50).map((candle) => (String(candle.close).split(".")[1] ?? "").length);
  return Math.max(2, Math.min(8, ...[Math.max(0, ...shown)]));
}

/**
 * Return until when something may stand on the last candle: the next one may be forming. What is later waits
 * for its own, instead of lying in a heap on one that it does not belong to.
 */
function endOf(times) {
  const last = times.length - 1;
  return last > 0 ? times[last] + 2 * (times[last] - times[last - 1]) : Infinity;
}

/** Return the time of the candle that an instant before `end` lies in: a mark stands on a candle or nowhere. Pure. */
export function within(times, nanos, end = Infinity) {
  const at = local(seconds(nanos));
  if (at >= end) return null;
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] <= at) low = middle + 1;
    else high = middle;
  }
  return low ? times[low - 1] : null;
}

/** Return the marks of signals (arrows) and fills (circles at their price), in time's order. Pure. */
export function marks(times, signals, trades, { up, down, fill, soft }) {
  const found = [];
  const end = endOf(times);
  for (const signal of signals) {
    const time = within(times, signal.data_as_of ?? signal.decided_at, end);
    if (time === null || !signal.intent) continue;
    const buys = /long|buy|cover|exit_short/.test(signal.intent) && !/exit_long/.test(signal.intent);
    const went = signal.verdict === "accepted" || signal.verdict === "modified";
    found.push({
      time, position: buys ? "belowBar" : "aboveBar", shape: buys ? "arrowUp" : "arrowDown",
      color: went ? (buys ? up : down) : soft, id: `s${signal.seq}`, size: went ? 1 : 0.6,
    });
  }
  for (const trade of trades) {
    const time = within(times, trade.at, end);
    if (time !== null) {
      found.push({ time, position: "atPriceMiddle", price: trade.price, shape: "circle", color: fill, id: `t${trade.seq}`, size: 0.7 });
    }
  }
  return found.sort((one, other) => one.time - other.time);
}

/** Candles of one symbol with marks on them. */
export class PriceChart extends Chart {
  #signals = [];
  #trades = [];
  #candles = [];

  constructor(box) {
    super(box);
    this.series = this.chart.addSeries(CandlestickSeries, {});
    this.markers = createSeriesMarkers(this.series, []);
    this.paint();
  }

  /** Show these candles; the first time, the newest of them. */
  show(candles) {
    const first = !this.#candles.length;
    this.#candles = bars(candles);
    const precision = digits(candles);
    this.series.applyOptions({ priceFormat: { type: "price", precision, minMove: 10 ** -precision } });
    this.series.setData(this.#candles);
    this.#mark();
    if (first && this.#candles.length) {
      this.chart.timeScale().setVisibleLogicalRange({ from: this.#candles.length - 90, to: this.#candles.length + 3 });
    }
  }

  /** Show what was wanted and what was done. */
  mark(signals, trades) {
    [this.#signals, this.#trades] = [signals, trades];
    this.#mark();
  }

  #mark() {
    const times = this.#candles.map((candle) => candle.time);
    this.markers.setMarkers(marks(times, this.#signals, this.#trades, {
      up: colour("--up"), down: colour("--down"), fill: colour("--fill"), soft: colour("--line-strong"),
    }));
  }

  paint() {
    const [up, down] = [colour("--up"), colour("--down")];
    this.series?.applyOptions({ upColor: up, downColor: down, wickUpColor: up, wickDownColor: down, borderVisible: false });
    if (this.markers) this.#mark();
  }
}

/** A curve of money over time: points `{at, equity, profit}`; profit where no equity is known. */
export class Curve extends Chart {
  constructor(box) {
    super(box, { handleScale: false, handleScroll: false });
    this.series = this.chart.addSeries(AreaSeries, { lineWidth: 2, priceFormat: { type: "price", precision: 2, minMove: 0.01 } });
    this.paint();
  }

  show(points) {
    const byTime = new Map();
    for (const { at, equity, profit } of points) {
      const time = local(seconds(at));
      byTime.set(time, { time, value: equity ?? profit });
    }
    this.series.setData([...byTime.values()].sort((one, other) => one.time - other.time));
    this.chart.timeScale().fitContent();
  }

  paint() {
    const fill = colour("--fill");
    this.series?.applyOptions({ lineColor: fill, topColor: `${fill}55`, bottomColor: `${fill}08` });
  }
}
