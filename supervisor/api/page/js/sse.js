// Server-sent events over fetch: EventSource cannot send the key's header (whatwg/html, 9.2).

import { request } from "./api.js";

/** Takes text as it comes and gives whole messages: `{id, event, data}` (WHATWG HTML, 9.2.6). Pure. */
export class SseParser {
  #rest = "";
  #id = "";
  #event = "";
  #data = [];

  /** Return the messages that `text` completes. */
  push(text) {
    this.#rest += text;
    const messages = [];
    for (;;) {
      const found = /\r\n|\n|\r/.exec(this.#rest);
      // A carriage return at the very end may be the first half of a line's end.
      if (!found || (found[0] === "\r" && found.index === this.#rest.length - 1)) return messages;
      const line = this.#rest.slice(0, found.index);
      this.#rest = this.#rest.slice(found.index + found[0].length);
      const message = this.#line(line);
      if (message) messages.push(message);
    }
  }

  #line(line) {
    if (line === "") return this.#whole();
    if (line.startsWith(":")) return null;
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") this.#data.push(value);
    else if (name === "event") this.#event = value;
    else if (name === "id" && !value.includes("\0")) this.#id = value;
    return null;
  }

  #whole() {
    const message = this.#data.length
      ? { id: this.#id, event: this.#event || "message", data: this.#data.join("\n") }
      : null;
    this.#data = [];
    this.#event = "";
    return message;
  }
}

/** Milliseconds until the next attempt: doubled from half a second up to ten, less up to a half by chance. */
export function delay(attempt, chance = Math.random()) {
  return Math.min(10_000, 500 * 2 ** Math.min(attempt, 10)) * (1 - chance / 2);
}

/** Without a byte for so long, a heartbeat included (one each 15 s), nobody is there. */
export const SILENCE = 40_000;

/**
 * One stream, begun again for as long as it is wanted, from the last message that came. Calls `onMessage(topic,
 * data)`, `onOpen(resumed)` and `onLost(problem, ms)`: the next attempt is in so many ms.
 */
export class Live {
  #abort = null;
  #timer = 0;
  #silence = 0;
  #attempt = 0;
  #last = "";

  constructor(path, { onMessage, onOpen = () => {}, onLost = () => {}, onHeard = () => {} }) {
    Object.assign(this, { path, onMessage, onOpen, onLost, onHeard });
    this.wanted = false;
  }

  start() {
    this.wanted = true;
    this.#connect();
  }

  stop() {
    this.wanted = false;
    clearTimeout(this.#timer);
    clearTimeout(this.#silence);
    this.#abort?.abort();
  }

  /** Try now, and not when it would be time. */
  hurry() {
    if (!this.wanted || this.#abort) return;
    clearTimeout(this.#timer);
    this.#connect();
  }

  async #connect() {
    const abort = (this.#abort = new AbortController());
    let problem = null;
    try {
      await this.#read(abort.signal);
    } catch (error) {
      problem = error;
    }
    clearTimeout(this.#silence);
    this.#abort = null;
    if (!this.wanted) return;
    const wait = delay(this.#attempt++);
    this.#timer = setTimeout(() => this.#connect(), wait);
    this.onLost(problem, wait);
  }

  async #read(signal) {
    const more = this.#last ? { "Last-Event-ID": this.#last } : {};
    this.#listen();
    const answer = await request(this.path, { accept: "text/event-stream", more, signal });
    if (!(answer.headers.get("content-type") ?? "").startsWith("text/event-stream")) {
      await answer.body?.cancel();
      throw new Error("the answer is no stream of events");
    }
    this.onOpen(this.#last !== "");
    const parser = new SseParser();
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) throw new Error("the daemon ended the stream");
      this.#attempt = 0;
      this.#listen();
      this.onHeard();
      for (const message of parser.push(value)) {
        this.onMessage(message.event, JSON.parse(message.data));
        if (message.id) this.#last = message.id;
      }
    }
  }

  #listen() {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#abort?.abort(), SILENCE);
  }
}
