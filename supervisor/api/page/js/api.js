// The daemon's HTTP API as this page asks it: the key, problem documents, one line for each thing that is wrong.

const KEY = "stratd.key";
export const ROOT = "/api/v1";

/** The key of this tab: kept until the tab is closed, and nowhere else. */
export const key = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (text) => (text ? sessionStorage.setItem(KEY, text) : sessionStorage.removeItem(KEY)),
};

/** An answer that is no success, by RFC 9457: `message` is its one line, `errors` every mistake it names. */
export class Problem extends Error {
  constructor(status, document = {}) {
    super(oneLine(document.title) || `the daemon answered ${status}`);
    this.status = status;
    this.rule = document.rule ?? "";
    this.near = document.near ?? [];
    this.errors = document.errors ?? [];
    this.detail = oneLine(document.detail);
  }
}

const oneLine = (text) => (typeof text === "string" ? text : "");

/** The daemon did not answer at all. */
export class Unreachable extends Error {
  constructor() {
    super("the daemon does not answer; it may be restarting, or the network is gone");
  }
}

let askForKey = async () => false;

/** The reader was asked for a key and has given none: nothing is asked until they say so. */
export const locked = { is: false };

/** Say who asks for a key: a function of the reason, whose promise is true once there is another one. */
export function whenUnauthorized(ask) {
  askForKey = ask;
}

function headers(more) {
  const mine = key.get();
  return mine ? { ...more, "X-API-Key": mine } : more;
}

/**
 * Return the answer to one request, once its status is a success. Raises Problem or Unreachable.
 * A 401 asks for a key, and then asks again: for as long as the reader gives one. `more`: headers besides.
 */
export async function request(path, { method = "GET", body, type = "application/json", accept, more, signal } = {}) {
  for (;;) {
    if (locked.is) throw new Problem(401, { title: "this daemon wants to know who you are" });
    const told = headers({ Accept: accept ?? "application/json", ...more });
    if (body !== undefined) told["Content-Type"] = type;
    const sent = body === undefined || type !== "application/json" ? body : JSON.stringify(body);
    const used = key.get();
    let answer;
    try {
      answer = await fetch(path, { method, headers: told, body: sent, signal, cache: "no-store" });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Unreachable();
    }
    if (answer.ok) return answer;
    const problem = await problemOf(answer);
    if (answer.status !== 401) throw problem;
    // Another request may have been given a new key while this one was on its way.
    if (used === key.get() && !(await askForKey(used ? problem.message : ""))) throw problem;
  }
}

async function problemOf(answer) {
  let document = {};
  try {
    document = await answer.json();
  } catch {
    // a proxy's own page: its status must do
  }
  return new Problem(answer.status, document);
}

/** Return the JSON document at a path below the API's root. */
export async function get(path, options) {
  return (await request(ROOT + path, options)).json();
}

/** Return the objects of JSON Lines at a path below the API's root. */
export async function lines(path, options) {
  const text = await (await request(ROOT + path, { ...options, accept: "application/x-ndjson" })).text();
  return text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

/** Post a document, and return the one that is answered. */
export async function post(path, body = {}, options = {}) {
  const answer = await request(ROOT + path, { ...options, method: "POST", body });
  return answer.status === 204 ? {} : answer.json();
}

/** Delete what is at a path, and return the document that is answered. */
export async function remove(path) {
  return (await request(ROOT + path, { method: "DELETE" })).json();
}

/** One path element of a name that somebody chose. */
export const part = (name) => encodeURIComponent(name);
