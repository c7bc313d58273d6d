// Accounts, what they are worth, and what bars them.

import { get } from "../api.js";
import { actOnAccount, LABELS } from "../actions.js";
import { complain } from "../dialogs.js";
import { h } from "../dom.js";
import { count, gain, money, side } from "../format.js";
import { latch, pill, table } from "../parts.js";

const AGAIN = 3000; // ms between two looks: there is no topic of accounts

export class Accounts {
  title = "Accounts";
  #timer = 0;
  #known = false;
  #shown = true;

  constructor({ store, draw }) {
    this.store = store;
    this.draw = draw;
  }

  start() {
    this.#look();
  }

  stop() {
    this.#shown = false;
    clearTimeout(this.#timer);
  }

  took(topic) {
    return topic !== "all" && topic !== "accounts";
  }

  async #look(again = true) {
    try {
      this.store.accounts = await get("/accounts");
      this.#known = true;
    } catch (error) {
      if (!this.#known) complain(error, "Accounts");
    }
    if (!this.#shown) return;
    this.draw();
    if (again) this.#timer = setTimeout(() => this.#look(), AGAIN);
  }

  async #act(verb, name) {
    if (await actOnAccount(verb, name)) await this.#look(false);
  }

  render() {
    const columns = [
      { key: "name", head: "Account", cell: (row) => [h("strong", {}, row.name),
        h("small", {}, `${row.currency}${row.configured ? "" : " · not configured"}`)] },
      { key: "mode", head: "Mode", cell: (row) => (row.live ? pill("live", "live") : "paper") },
      { key: "equity", head: "Equity", number: true, cell: (row) => money(row.equity) },
      { key: "day", head: "Today", number: true, cell: (row) => h("span", { class: side(row.day_profit) }, gain(row.day_profit)) },
      { key: "unrealised", head: "Unrealised", number: true, cell: (row) => h("span", { class: side(row.unrealised) }, gain(row.unrealised)) },
      { key: "fees", head: "Fees", number: true, cell: (row) => money(row.fees) },
      { key: "exposure", head: "Exposure", number: true, cell: (row) => money(row.exposure) },
      { key: "open", head: "Positions", number: true, cell: (row) => count(row.open_positions) },
      { key: "orders", head: "Orders today", number: true, cell: (row) => count(row.orders_today) },
      { key: "deployments", head: "Deployments", number: true, cell: (row) => h("span", { title: row.deployments.join(", ") }, count(row.deployments.length)) },
      { key: "latch", head: "Latch", cell: (row) => latch(row.latch) },
      { key: "verbs", head: "Actions", cell: (row) => h("div", { class: "verbs", role: "group", "aria-label": `Actions on ${row.name}` },
        verbs(row).map((verb) => h("button", { type: "button", key: verb, class: verb === "kill" ? "danger quiet" : "quiet",
          "aria-label": `${LABELS[verb]} the account ${row.name}`, onclick: () => this.#act(verb, row.name) }, LABELS[verb]))) },
    ];
    return h("div", {}, h("div", { class: "head" }, h("h1", {}, "Accounts")),
      h("p", { class: "muted" }, "A latch bars an account until an operator takes it back. A dash is unknown, and not zero."),
      table("Accounts", columns, this.store.accounts, { key: (row) => row.name, empty: this.#known
        ? h("p", {}, "There is no account yet: the first deployment makes one, or ", h("code", {}, "[accounts.NAME]"), " in the configuration.")
        : h("p", {}, "Asking the daemon…") }));
  }
}

function verbs({ latch: set }) {
  if (!set) return ["pause", "kill"];
  return set.kind === "pause" || set.kind === "exit_only" ? ["rearm", "kill"] : ["rearm"];
}
