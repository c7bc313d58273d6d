// The log of one deployment: its last lines, and each as it comes. Elements are added, never drawn anew.

import { ROOT, lines, part } from "./api.js";
import { complain } from "./dialogs.js";
import { h } from "./dom.js";
import { clock, instant } from "./format.js";
import { Live } from "./sse.js";

const MOST = 1000;

/** Fills `box`, which is a `role=log`; at its end it stays at its end, anywhere else it stays where it is. */
export class LogTail {
  #live = null;
  #closed = false;
  #last = 0;

  constructor(box, id) {
    this.box = box;
    this.id = id;
  }

  async start() {
    try {
      (await lines(`/deployments/${part(this.id)}/logs?n=200`)).forEach((line) => this.#add(line));
    } catch (error) {
      complain(error, "Log");
    }
    if (this.#closed) return;
    this.#live = new Live(`${ROOT}/events?topics=logs&deployment_id=${part(this.id)}`, {
      onMessage: (topic, line) => topic === "logs" && this.#add(line),
    });
    this.#live.start();
  }

  close() {
    this.#closed = true;
    this.#live?.stop();
  }

  #add(line) {
    if (line.at <= this.#last && this.box.lastElementChild?.dataset.text === line.text) return;
    this.#last = line.at;
    const { box } = this;
    const following = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
    box.append(h("div", { class: line.stream, "data-text": line.text },
      h("span", { class: "at", title: instant(line.at) }, clock(line.at)),
      h("span", { class: "from" }, line.stream), h("span", { class: "text" }, line.text)));
    while (box.children.length > MOST) box.firstElementChild.remove();
    if (following) box.scrollTop = box.scrollHeight;
  }
}
