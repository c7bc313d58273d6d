// The log of one deployment: its last lines, and each as it comes. Elements are added, never drawn anew.

import { ROOT, lines, part } from "./api.js";
import { complain } from "./dialogs.js";
import { h } from "./dom.js";
import { clock, instant } from "./format.js";
import { Live } from "./sse.js";

const MOST = 1000;

/** Return those of `lines` that come behind `last`; all of them where there is none. Pure. */
export function behind(lines, last) {
  if (!last) return lines;
  const at = lines.findLastIndex((line) => line.at === last.at && line.text === last.text && line.stream === last.stream);
  return at < 0 ? lines.filter((line) => line.at > last.at) : lines.slice(at + 1);
}

/**
 * Fills `box`, which is a `role=log`; at its end it stays at its end, anywhere else it stays where it is. Lines are
 * no records that the stream would begin behind: each time that it opens, what is kept is asked for, and what was
 * shown already is left out.
 */
export class LogTail {
  #live = null;
  #last = null;
  #early = null;

  constructor(box, id) {
    this.box = box;
    this.id = id;
  }

  start() {
    this.#live = new Live(`${ROOT}/events?topics=logs&deployment_id=${part(this.id)}`, {
      onMessage: (topic, line) => topic === "logs" && this.#take(line),
      onOpen: () => this.#catchUp(),
    });
    this.#live.start();
  }

  close() {
    this.#live.stop();
  }

  async #catchUp() {
    const early = (this.#early = []);
    try {
      behind(await lines(`/deployments/${part(this.id)}/logs?n=200`), this.#last).forEach((line) => this.#add(line));
    } catch (error) {
      complain(error, "Log");
    }
    if (this.#early !== early) return; // it was opened again meanwhile
    this.#early = null;
    behind(early, this.#last).forEach((line) => this.#add(line));
  }

  /** Take a line of the stream: at once, or when what was before it is there. */
  #take(line) {
    if (this.#early) this.#early.push(line);
    else this.#add(line);
  }

  #add(line) {
    this.#last = line;
    const { box } = this;
    const following = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
    box.append(h("div", { class: line.stream },
      h("span", { class: "at", title: instant(line.at) }, clock(line.at)),
      h("span", { class: "from" }, line.stream), h("span", { class: "text" }, line.text)));
    while (box.children.length > MOST) box.firstElementChild.remove();
    if (following) box.scrollTop = box.scrollHeight;
  }
}
