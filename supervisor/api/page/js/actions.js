// What can be done to deployments and accounts, each with its question: one table of verbs.

import { part, post, remove } from "./api.js";
import { complain, confirm, notice } from "./dialogs.js";

/** By state: the verbs that make sense, the likeliest first (docs/operations: wanted and actual are two things). */
export function verbs({ state, desired }) {
  if (state === "registered" || state === "stopped") return ["start", "remove"];
  if (state === "failed" || state === "quarantined") return ["reset-failed", "remove"];
  if (state === "paused" || desired === "paused") return ["resume", "stop", "kill"];
  if (state === "backoff") return ["restart", "stop", "kill"];
  if (state === "stopping") return ["kill"];
  return ["pause", "stop", "kill"];
}

export const LABELS = {
  start: "Start", pause: "Pause", resume: "Resume", restart: "Restart", stop: "Stop", kill: "Kill",
  "reset-failed": "Reset", remove: "Remove", flatten: "Flatten", rearm: "Rearm", approve: "Approve", reject: "Reject",
};

const held = "What it holds stays open; stops and targets that the engine keeps go on working.";
const QUESTIONS = {
  pause: (id) => ({
    title: `Pause ${id}?`, text: `It keeps its process and goes on hearing the market, but opens nothing. ${held}`,
    confirm: "Pause", reason: true,
  }),
  stop: (id) => ({
    title: `Stop ${id}?`, text: `It is asked to finish, and its state is saved. ${held}`, confirm: "Stop", reason: true,
  }),
  kill: (id) => ({
    title: `Kill ${id}?`,
    text: ["Its process is ended at once: no goodbye, and no state saved beyond the last checkpoint.", held],
    confirm: "Kill", danger: true, reason: true,
  }),
  restart: (id) => ({
    title: `Restart ${id}?`, text: "It is stopped and started again from its last checkpoint.", confirm: "Restart",
    reason: true,
  }),
  flatten: (id) => ({
    title: `Flatten ${id}?`,
    text: "Every position is closed and every waiting order cancelled. It opens nothing more until it is rearmed.",
    confirm: "Flatten", danger: true, reason: "required",
  }),
  rearm: (id) => ({
    title: `Rearm ${id}?`, text: "What bars it is taken back: it may open positions again.", confirm: "Rearm",
    reason: "required",
  }),
  remove: (id) => ({
    title: `Remove ${id}?`, text: "Its configuration and saved state are forgotten. Its records in the journal stay.",
    confirm: "Remove", danger: true,
  }),
};

/** Ask and do; true if it was done. What goes wrong is shown. */
export async function act(verb, id) {
  const question = QUESTIONS[verb]?.(id);
  const answer = question ? await confirm(question) : { reason: "" };
  if (!answer) return false;
  try {
    const changed = await carryOut(verb, id, answer.reason);
    notice(changed ? `${LABELS[verb]}: ${id}` : `${id} was so already`);
    return true;
  } catch (error) {
    complain(error, `${LABELS[verb]} ${id}`);
    return false;
  }
}

async function carryOut(verb, id, reason) {
  const path = `/deployments/${part(id)}`;
  if (verb === "remove") return (await remove(path)).changed;
  if (verb === "reset-failed") return (await post(`${path}/reset-failed`)).changed;
  if (verb === "flatten") return (await post(`${path}/flatten`, { reason })).changed;
  if (verb === "rearm") return (await post(`${path}/unlock`, { reason })).changed;
  const now = verb === "kill";
  return (await post(`${path}/${now ? "stop" : verb}`, { reason, now, wait: false })).changed;
}

const ACCOUNT = {
  pause: (name) => ({
    title: `Pause the account ${name}?`,
    text: "Nothing of its strategies goes through, exits included, until it is rearmed. What is held stays open.",
    confirm: "Pause", reason: "required",
  }),
  kill: (name) => ({
    title: `Kill the account ${name}?`,
    text: "Everything it holds is closed at the market, every waiting order is cancelled, and nothing goes through "
      + "until it is rearmed.",
    confirm: "Kill", danger: true, reason: "required", type: name,
  }),
  rearm: (name) => ({
    title: `Rearm the account ${name}?`, text: "What bars it is taken back: its strategies may trade again.",
    confirm: "Rearm", reason: "required",
  }),
};

/** Ask and do the same for an account. */
export async function actOnAccount(verb, name) {
  const answer = await confirm(ACCOUNT[verb](name));
  if (!answer) return false;
  try {
    const { changed } = await post(`/accounts/${part(name)}/${verb}`, { reason: answer.reason });
    notice(changed ? `${LABELS[verb]}: account ${name}` : `The account ${name} was so already`);
    return true;
  } catch (error) {
    complain(error, `${LABELS[verb]} account ${name}`);
    return false;
  }
}
