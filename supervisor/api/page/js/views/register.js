// Registering code: pasted, chosen or dropped; the daemon tries it in the sandbox and says what it found.

import { ROOT, Problem, request } from "../api.js";
import { h } from "../dom.js";
import { span } from "../format.js";
import { mistakes } from "./start.js";

const MOST = 2 ** 20; // bytes of a module; the daemon's own limit is what counts
const MOST_ZIP = 32 * 2 ** 20;
const words = (text) => text.split(/[\s,]+/).filter(Boolean);

const TEMPLATE = `from strategies import IStrategy, Signal


class Strategy(IStrategy):
    def initialize(self, config):
        pass

    def on_candle_complete(self, timeframe, candle, data):
        return None
`;

export class Register {
  title = "Register a strategy";
  #archive = null;
  #abort = new AbortController();

  took() {
    return true;
  }

  stop() {
    this.#abort.abort();
  }

  render() {
    return h("div", {}, h("div", { class: "head" }, h("h1", {}, "Register a strategy")), this.#form(),
      h("div", { key: "result", keep: "result", id: "result", role: "region", "aria-label": "Result of the check", "aria-live": "polite" }));
  }

  #form() {
    const file = h("input", { type: "file", accept: ".py,.zip", class: "unseen", id: "file", tabindex: 0,
      onchange: (event) => this.#took(event.target.form, event.target.files[0]) });
    const form = h("form", { class: "form", keep: "form", key: "form", novalidate: true, onsubmit: (event) => this.#submit(event, "register") },
      h("div", { class: "mistakes", role: "alert", hidden: true, tabindex: -1 }),
      h("div", { class: "drop" }, h("p", { "data-file": true }, "Drop a Python file here, or a zip of a strategy's folder, or paste its code below."),
        h("label", { class: "button", for: "file" }, "Choose a file…"), file),
      h("section", { class: "panel", "aria-labelledby": "r-what" }, h("h2", { id: "r-what" }, "Strategy"),
        h("div", { class: "grid", "data-source": true },
          field("name", "Name", { required: true, maxlength: 64 }), field("description", "Description", { maxlength: 4096 }),
          field("instruments", "Instruments", { placeholder: "EURUSD, GBPUSD" }), field("timeframe", "Timeframe", { placeholder: "1m" }),
          h("label", { class: "field wide" }, h("span", {}, "Code"), h("textarea", { name: "code", spellcheck: "false", autocomplete: "off",
            autocapitalize: "off", wrap: "off", placeholder: TEMPLATE })))),
      h("div", { class: "buttons" },
        h("button", { type: "button", "data-check": true, onclick: (event) => this.#submit(event, "validate-code") }, "Only check"),
        h("button", { type: "submit", class: "primary" }, "Check and register")));
    const drop = form.querySelector(".drop");
    const over = (is) => (event) => {
      event.preventDefault();
      drop.classList.toggle("over", is);
    };
    for (const name of ["dragenter", "dragover"]) form.addEventListener(name, over(true));
    form.addEventListener("dragleave", over(false));
    form.addEventListener("drop", (event) => {
      over(false)(event);
      this.#took(form, event.dataTransfer.files[0]);
    });
    return form;
  }

  async #took(form, file) {
    if (!file) return;
    const zip = /\.zip$/i.test(file.name);
    if (file.size > (zip ? MOST_ZIP : MOST)) return mistakes(form, [`${file.name}: ${file.size} bytes is too large`]);
    this.#archive = zip ? file : null;
    form.querySelector("[data-file]").textContent = zip ? `${file.name}, ${file.size} bytes: its config.json says what it is.` : file.name;
    form.querySelector("[data-source]").closest("section").hidden = zip;
    form.querySelector("[data-check]").hidden = zip;
    if (!zip) {
      form.elements.code.value = await file.text();
      form.elements.name.value ||= file.name.replace(/\.py$/i, "");
    }
    form.querySelector(".mistakes").hidden = true;
  }

  async #submit(event, verb) {
    event.preventDefault();
    const form = event.target.form ?? event.target;
    const said = (name) => form.elements.namedItem(name).value;
    const body = { name: said("name").trim(), description: said("description").trim(), instruments: words(said("instruments")), code: said("code") };
    if (said("timeframe").trim()) body.timeframe = said("timeframe").trim();
    if (!this.#archive) {
      const missing = [["Name", body.name], ["Code", body.code.trim()]].filter(([, value]) => !value);
      if (missing.length) return mistakes(form, missing.map(([label]) => `${label}: a value is needed`));
    }
    form.querySelector(".mistakes").hidden = true;
    for (const button of form.querySelectorAll("button")) button.disabled = true;
    const result = new Result(document.getElementById("result"));
    try {
      const how = this.#archive ? { body: this.#archive, type: "application/zip" } : { body };
      const path = `${ROOT}/strategies/${this.#archive ? "upload" : verb}`;
      const answer = await request(path, { ...how, method: "POST", accept: "application/x-ndjson", signal: this.#abort.signal });
      for await (const line of progress(answer)) result.take(line);
    } catch (error) {
      if (error.name === "AbortError") return;
      result.refused(error);
      mistakes(form, error.errors?.length ? error.errors : [error.message]);
    } finally {
      for (const button of form.querySelectorAll("button")) button.disabled = false;
    }
  }
}

/** Yield the lines of an answer as they come; one that is one document is one line. */
async function* progress(answer) {
  if (!(answer.headers.get("content-type") ?? "").includes("ndjson")) {
    const document = await answer.json();
    yield document.strategy_id ? { registration: document } : { report: document };
    return;
  }
  let rest = "";
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    for (const line of parts) if (line.trim()) yield JSON.parse(line);
  }
  if (rest.trim()) yield JSON.parse(rest);
}

/** The steps of one check, as they come. */
class Result {
  #steps = h("ol", { class: "steps" });
  #told = 0;

  constructor(box) {
    this.box = box;
    box.replaceChildren(h("section", { class: "panel", "aria-label": "Checks" }, h("h2", {}, "Checks"), this.#steps));
    box.scrollIntoView({ block: "nearest" });
  }

  take({ step, report, registration, problem }) {
    if (step) this.#step(step);
    else if (report) this.#report(report);
    else if (registration) this.#registered(registration);
    else if (problem) throw new Problem(problem.status, problem);
  }

  #step(step) {
    this.#told += 1;
    const where = step.line ? `${step.file ? `${step.file}, ` : ""}line ${step.line}${step.column ? `, column ${step.column}` : ""}: ` : "";
    this.#steps.append(h("li", { class: step.ok ? null : "wrong" },
      h("span", { class: `mark ${step.ok ? "good" : "bad"}`, role: "img", "aria-label": step.ok ? "passed" : "failed" }, step.ok ? "✓" : "✗"),
      h("span", {}, step.name), h("span", { class: "detail" }, where, step.detail),
      h("span", { class: "muted number" }, step.ms ? span(step.ms / 1000) : "")));
  }

  #report(report) {
    report.steps.slice(this.#told).forEach((step) => this.#step(step));
    this.#say(report.ok ? "All checks passed. Nothing was registered." : report.reason, !report.ok);
    this.#log(report.log);
  }

  #registered({ strategy_id: id, created, report }) {
    report.steps.slice(this.#told).forEach((step) => this.#step(step));
    this.#say(created ? `${id} is registered.` : `${id} was registered already; it is the same code.`, false);
    this.#log(report.log);
    this.box.append(h("div", { class: "buttons" },
      h("a", { class: "button primary", href: `#/start/${encodeURIComponent(id)}` }, `Start ${id}…`)));
  }

  /** Say that it was refused; the steps that passed stay where they are. */
  refused(error) {
    this.#say(error.message, true);
  }

  #say(text, bad) {
    this.box.firstElementChild.append(h("p", { class: bad ? "inside wrong" : "inside good" }, text));
  }

  #log(log = []) {
    if (log.length) this.box.firstElementChild.append(h("h3", { class: "inside" }, "What it wrote"), h("pre", { class: "log" }, log.join("\n")));
  }
}

function field(name, label, attributes) {
  return h("label", { class: "field" }, h("span", {}, label, attributes.required ? h("span", { class: "wrong", title: "needed" }, " *") : null),
    h("input", { type: "text", name, autocomplete: "off", spellcheck: "false", ...attributes }));
}
