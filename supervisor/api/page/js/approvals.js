// Signals that wait for a person: the list, and the two words on each.

import { part, post } from "./api.js";
import { LABELS } from "./actions.js";
import { complain, confirm, notice } from "./dialogs.js";
import { h } from "./dom.js";
import { amount, span } from "./format.js";
import { section, table, time } from "./parts.js";

/** What a signal asks for, in words. Pure. */
export const wish = ({ intent, quantity, symbol }) => `${intent.replaceAll("_", " ")} ${amount(quantity)} ${symbol}`;

const QUESTIONS = {
  approve: (row) => ({
    title: `Approve ${wish(row)}?`,
    text: `For ${row.deployment_id}, account ${row.account_id}, ${row.mode}. It is judged again by prices, limits and positions `
      + "of this moment, and may be refused.",
    confirm: "Approve", danger: row.mode === "live", reason: true,
  }),
  reject: (row) => ({
    title: `Reject ${wish(row)}?`, text: `For ${row.deployment_id}. It cannot be approved any more.`, confirm: "Reject",
    reason: true,
  }),
};

/** Ask and say it; what became of the signal is shown. */
export async function answer(verb, row, store) {
  const given = await confirm(QUESTIONS[verb](row));
  if (!given) return;
  try {
    notice(told(await post(`/signals/${part(row.signal_id)}/${verb}`, { reason: given.reason })));
  } catch (error) {
    complain(error, `${LABELS[verb]} ${wish(row)}`);
  }
  await store.refreshSlow();
}

/** What an answer says. Pure. */
export function told({ changed, signal }) {
  const first = signal.rule === "approval_denied" ? "Rejected" : "Approved";
  const by = changed ? "" : ` already, by ${signal.by}`;
  const then = first === "Rejected" ? "" : `, then ${signal.verdict}${signal.rule ? ` (${signal.rule}: ${signal.detail})` : ""}`;
  return `${first}${by}: ${wish(signal)}${then}`;
}

/** The list, nothing where nothing waits. */
export function waiting(store, now = Date.now()) {
  if (!store.pending.length) return null;
  const columns = [
    { key: "deployment", head: "Deployment", cell: (row) => [
      h("a", { href: `#/deployments/${encodeURIComponent(row.deployment_id)}`, class: "name" }, row.deployment_id),
      h("small", {}, `${row.account_id} · ${row.mode}`)] },
    { key: "wish", head: "Asks for", cell: (row) => [wish(row), h("small", {}, row.reason)] },
    { key: "at", head: "Since", cell: (row) => time(row.decided_at) },
    { key: "until", head: "Expires in", number: true, cell: (row) => span(Math.max(0, row.expires_at / 1e9 - now / 1000)) },
    { key: "verbs", head: "Actions", cell: (row) => h("div", { class: "verbs", role: "group", "aria-label": `Actions on ${wish(row)}` },
      ["approve", "reject"].map((verb) => h("button", { type: "button", key: verb, class: "quiet",
        "aria-label": `${LABELS[verb]} ${wish(row)} of ${row.deployment_id}`, onclick: () => answer(verb, row, store) }, LABELS[verb]))) },
  ];
  return section("Waiting for approval", table("Waiting for approval", columns, store.pending, { key: (row) => row.signal_id }));
}
