// The catalogue: what can be started, and what is broken.

import { get } from "../api.js";
import { complain } from "../dialogs.js";
import { h } from "../dom.js";
import { count } from "../format.js";
import { pill, table } from "../parts.js";
import { listed } from "../store.js";

export class Strategies {
  title = "Strategies";
  #rows = null;

  constructor({ draw }) {
    this.draw = draw;
  }

  took() {
    return true;
  }

  async start() {
    try {
      this.#rows = listed(await get("/catalogue"), "strategies");
    } catch (error) {
      complain(error, "Strategies");
      this.#rows = [];
    }
    this.draw();
  }

  render() {
    return h("div", {}, h("div", { class: "head" }, h("h1", {}, "Strategies"),
      h("a", { class: "button primary", href: "#/register" }, "Register your own")),
    table("Strategies", COLUMNS, this.#rows ?? [], { key: (row) => `${row.name}@${row.version}@${row.path}`,
      empty: this.#rows === null ? h("p", {}, "Asking the daemon…") : h("p", {}, "There is no strategy here yet. ",
        h("a", { href: "#/register" }, "Register one"), ", or make one on the host with ", h("code", {}, "stratd new"), ".") }));
  }
}

const COLUMNS = [
  { key: "name", head: "Strategy", cell: (row) => [h("strong", {}, row.name), h("small", {}, row.version)] },
  { key: "type", head: "Type", cell: (row) => row.type.replaceAll("_", " ") },
  { key: "state", head: "State", cell: (row) => pill(row.state) },
  { key: "what", head: "What it does", cell: (row) => row.state === "broken"
    ? h("ul", { class: "errors" }, row.errors.map((line) => h("li", {}, line))) : row.description },
  { key: "used", head: "Deployments", number: true, cell: (row) => count(row.deployments) },
  { key: "verbs", head: "Actions", cell: (row) => row.state === "ok"
    ? h("a", { class: "button quiet", href: `#/start/${encodeURIComponent(`${row.name}@${row.version}`)}`,
      "aria-label": `Start ${row.name} ${row.version}` }, "Start…") : null },
];
