// What this page knows of the daemon: filled by requests once, kept true by the stream.

import { ROOT, get, lines } from "./api.js";
import { Live } from "./sse.js";
import { announce } from "./dom.js";

export const TOPICS = "deployments,feeds,signals,orders,events";
const MOST = 500;
const SLOW = 5000; // between two looks at what has no topic: the daemon's own state, and what is held

/** Calls everyone in `listeners` with the topic after each change. */
export class Store {
  deployments = new Map();
  feeds = new Map();
  positions = [];
  pending = [];
  accounts = [];
  status = null;
  events = [];
  signals = [];
  /** The stream: `connecting`, `live` or `lost`. `heardAt`: Date.now() of its last byte, `askedAt` of the last answer
   * to a question (`unanswered`: the last had none), `retryAt` of the next attempt. `refused`: why this key may not
   * look, in the daemon's words. */
  link = { state: "connecting", heardAt: 0, askedAt: 0, unanswered: false, refused: "", retryAt: 0 };
  listeners = new Set();
  #slow = 0;
  #live = null;
  #refreshing = null;
  #fresh = new Set();
  #soon = 0;

  start() {
    this.#live = new Live(`${ROOT}/events?topics=${TOPICS}`, {
      onMessage: (topic, data) => this.take(topic, data),
      onOpen: () => this.#opened(),
      onLost: (problem, wait) => this.#lost(problem, wait),
      onHeard: () => (this.link.heardAt = Date.now()),
    });
    this.#live.start();
    this.#tick();
    addEventListener("online", () => this.hurry());
    document.addEventListener("visibilitychange", () => document.hidden || this.hurry());
  }

  /** Try the connection now. */
  hurry() {
    this.#live?.hurry();
    clearTimeout(this.#slow);
    this.#tick();
  }

  async #opened() {
    const back = this.link.state === "lost";
    this.link = { ...this.link, state: "live", heardAt: Date.now(), retryAt: 0 };
    if (back) announce("The connection is back.");
    this.changed("link");
    // What is no record (states, feeds) is told as it changes: what changed meanwhile is asked for.
    await this.refresh();
  }

  #lost(problem, wait) {
    const before = this.link.state;
    // A key that may not look is told so: the daemon is there.
    const refused = problem?.status === 403 ? problem.message : "";
    this.link = { ...this.link, state: "lost", refused, retryAt: Date.now() + wait };
    this.changed("link");
    if (before === "lost") return;
    if (before === "live") announce("The live connection to the daemon is lost.");
    clearTimeout(this.#slow);
    this.#tick(); // is it the stream alone, or is nobody there?
  }

  async #tick() {
    if (!document.hidden) {
      // Without a stream (a proxy that holds it back, a daemon that restarts) everything is asked for.
      await Promise.all([this.refreshSlow(), this.link.state === "live" || this.refresh()]);
    }
    clearTimeout(this.#slow);
    this.#slow = setTimeout(() => this.#tick(), SLOW);
  }

  /** Ask for everything that the stream keeps true from then on; one such question at a time. */
  async refresh() {
    this.#refreshing ??= this.#ask().finally(() => (this.#refreshing = null));
    await this.#refreshing;
  }

  async #ask() {
    this.#fresh.clear();
    try {
      const [deployments, feeds, events] = await Promise.all([
        get("/deployments?limit=1000"), get("/feeds"), lines("/events?n=200"),
      ]);
      // What the stream told meanwhile is newer than this answer may be.
      const known = this.deployments;
      const told = [...this.#fresh].filter((id) => known.has(id)).map((id) => [id, known.get(id)]);
      this.deployments = new Map([...listed(deployments, "deployments").map((row) => [row.id, row]), ...told]);
      this.feeds = new Map(feeds.map((feed) => [feed.name, feed]));
      this.events = events;
      this.changed("all");
    } catch {
      // the stream tells that there is no connection
    }
  }

  /** Ask for what has no topic. */
  async refreshSlow() {
    try {
      const [status, positions, pending] = await Promise.all([
        get("/status"), get("/positions"), get("/signals/pending"),
      ]);
      Object.assign(this, { status, positions, pending });
      Object.assign(this.link, { askedAt: Date.now(), unanswered: false });
      this.changed("status");
    } catch {
      this.link.unanswered = true;
    }
    this.changed("link");
  }

  /** Take one message of the stream. */
  take(topic, data) {
    if (topic === "deployments") this.#deployment(data);
    else if (topic === "feeds") this.feeds.set(data.name, data);
    else if (topic === "events") keep(this.events, data);
    else if (topic === "signals") this.#signal(data);
    else if (topic === "orders") this.#heldChanged();
    this.changed(topic, data);
  }

  #signal(row) {
    keep(this.signals, row);
    if (row.verdict === "pending") announce(`${row.deployment_id} asks for approval`);
    if (row.verdict === "pending" || this.pending.some((one) => one.signal_id === row.signal_id)) this.#heldChanged();
  }

  /** What is held or waits has changed, and may again at once: it is asked for when that is over. */
  #heldChanged() {
    this.#soon ||= setTimeout(() => {
      this.#soon = 0;
      this.refreshSlow();
    }, 1000);
  }

  #deployment(row) {
    this.#fresh.add(row.id);
    if (row.removed) {
      if (this.deployments.delete(row.id)) announce(`${row.id} was removed`);
      return;
    }
    const before = this.deployments.get(row.id);
    this.deployments.set(row.id, row);
    if (before && before.state !== row.state) announce(`${row.id} is ${row.state}`);
  }

  changed(topic, data) {
    for (const listener of this.listeners) listener(topic, data);
  }

  /** Profit and loss of one deployment by currency: `[["USD", 12.5 or null], ...]`; null while a price is unknown. */
  profits(id) {
    return profits(this.positions.filter((position) => position.deployment_id === id));
  }
}

/** Return the sum of what is realised and what is not, net of fees, of each currency. Pure. */
export function profits(positions) {
  const sums = new Map();
  for (const { currency, realised, unrealised, quantity } of positions) {
    const open = quantity === 0 ? 0 : unrealised;
    const before = sums.has(currency) ? sums.get(currency) : 0;
    sums.set(currency, before === null || open === null ? null : before + realised + open);
  }
  return [...sums];
}

/** Return the rows of an answer that is a list, or an object with the list under a name. */
export function listed(answer, name) {
  return Array.isArray(answer) ? answer : (answer[name] ?? answer.items ?? []);
}

/** Keep a numbered record once, in order; the oldest of too many go. */
export function keep(records, fresh, most = MOST) {
  if (records.length && fresh.seq <= records.at(-1).seq) return;
  records.push(fresh);
  if (records.length > most) records.splice(0, records.length - most);
}
