// What a strategy shows of itself (`inspect`). Asked for when the reader says so: its author's code answers, between two events.

import { get } from "../api.js";
import { announce, h } from "../dom.js";
import { facts, section, time } from "../parts.js";

const LONGEST = 2000; // characters of one value that are shown

/** One value in words: text as it is, all else as JSON, cut where it is long. Pure. */
export function words(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}… (${text.length - LONGEST} more)` : text;
}

export class Inspected {
  #found = null;
  #problem = "";
  #asking = false;

  constructor(path, draw) {
    this.path = path;
    this.draw = draw;
  }

  async #ask() {
    if (this.#asking) return;
    this.#asking = true;
    this.draw();
    try {
      this.#found = await get(`${this.path}/inspect`);
      this.#problem = "";
      announce("The strategy has answered");
    } catch (error) {
      this.#problem = error.message;
      announce(error.message);
    }
    this.#asking = false;
    this.draw();
  }

  /** The section; nothing where no strategy is there to answer. */
  section(state) {
    if (!["running", "paused"].includes(state)) return null;
    const shown = Object.entries(this.#found?.shown ?? {});
    return section("In its own words", h("p", { class: "inside", key: "ask" },
      h("button", { type: "button", class: "quiet", disabled: this.#asking, onclick: () => this.#ask() },
        this.#asking ? "Asking…" : "Ask it"), " ", this.#found ? h("small", {}, "as of ", time(this.#found.at)) : null),
    this.#problem ? h("p", { class: "inside", key: "problem" }, this.#problem) : null,
    this.#found && !shown.length ? h("p", { class: "empty", key: "none" }, "It shows nothing of itself.") : null,
    shown.length ? facts(shown.map(([name, value]) => [name, words(value)])) : null);
  }
}
