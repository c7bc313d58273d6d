// The form that makes a deployment of a strategy and starts it.

import { get, part, post } from "../api.js";
import { notice } from "../dialogs.js";
import { h } from "../dom.js";
import { collect, fieldset, fieldsOf } from "../form.js";
import { listed } from "../store.js";

const words = (text) => text.split(/[\s,]+/).filter(Boolean);

export class Start {
  title = "Start a strategy";
  #fields = null;
  #strategy = null;
  #problem = "";
  #shown = true;

  constructor({ draw }, strategy) {
    this.draw = draw;
    this.id = strategy;
    this.title = `Start ${strategy}`;
  }

  took() {
    return true;
  }

  async start() {
    try {
      const [schema, all] = await Promise.all([get(`/strategies/${part(this.id)}/schema`), get("/catalogue")]);
      const [name, version] = this.id.split("@");
      this.#strategy = listed(all, "strategies").find((one) => one.name === name && (!version || one.version === version)) ?? null;
      this.#fields = fieldsOf(schema);
    } catch (error) {
      this.#problem = error.message;
    }
    if (this.#shown) this.draw();
  }

  stop() {
    this.#shown = false;
  }

  render() {
    const head = h("div", { class: "head" }, h("h1", {}, "Start ", h("span", {}, this.id)));
    if (this.#problem) {
      return h("div", {}, head, h("p", { class: "empty" }, this.#problem, " ", h("a", { href: "#/strategies" }, "All strategies")));
    }
    if (this.#fields === null) return h("div", {}, head, h("p", { class: "empty" }, "Asking the daemon…"));
    const known = this.#strategy;
    const parameters = this.#fields;
    // Its inside is the reader's once it is there: a form that is drawn anew forgets what was typed.
    const form = h("form", { class: "form", keep: "form", key: "form", novalidate: true, onsubmit: (event) => this.#submit(event) },
      h("div", { class: "mistakes", role: "alert", hidden: true, tabindex: -1 }),
      h("section", { class: "panel", "aria-labelledby": "f-what" }, h("h2", { id: "f-what" }, "Deployment"),
        h("div", { class: "grid" },
          text("id", "Name", "Of this deployment: letters, digits, . _ -", { required: true, value: this.id.split("@")[0], maxlength: 64 }),
          text("symbols", "Symbols", "Separated by commas; empty: as the strategy says", {}),
          text("timeframes", "Timeframes", `Such as 1s, 5m, 1h; empty: ${(known?.timeframes ?? []).join(" ") || "as the strategy says"}`, {}),
          text("account", "Account", "Empty: default", { maxlength: 64 }),
          h("label", { class: "field" }, h("span", {}, "Mode"), h("select", { name: "mode", onchange: live },
            h("option", { value: "paper" }, "Paper"), h("option", { value: "live" }, "Live"))),
          h("label", { class: "field check wide", hidden: true, "data-live": true },
            h("input", { type: "checkbox", name: "confirm_live" }),
            h("span", {}, "I know that this trades real money")))),
      parameters.length ? h("section", { class: "panel", "aria-labelledby": "f-parameters" },
        h("h2", { id: "f-parameters" }, "Parameters"),
        h("div", { class: "grid" }, parameters.map((field) => fieldset(field, `p-${field.name}`)))) : null,
      h("details", { class: "panel" }, h("summary", {}, "Quota"), h("div", { class: "grid" },
        text("memory", "Memory", "Such as 256M; empty: the default", {}),
        text("cpu", "CPU", "In cores, such as 0.5; empty: the default", { inputmode: "decimal" }))),
      h("div", { class: "buttons" }, h("a", { class: "button", href: "#/strategies" }, "Cancel"),
        h("button", { type: "submit", class: "primary" }, "Start")));
    return h("div", {}, head, known?.description ? h("p", { class: "muted", key: "what" }, known.description) : null, form);
  }

  async #submit(event) {
    event.preventDefault();
    const form = event.target;
    const { values, wrong } = collect(form, this.#fields);
    const given = (name) => form.elements.namedItem(name).value.trim();
    const body = { id: given("id"), strategy: this.id, parameters: values, mode: given("mode"), wait: false };
    if (given("symbols")) body.symbols = words(given("symbols"));
    if (given("timeframes")) body.timeframes = words(given("timeframes"));
    if (given("account")) body.account = given("account");
    if (given("memory")) body.memory = given("memory");
    if (given("cpu")) body.cpu = Number(given("cpu"));
    if (body.mode === "live") body.confirm_live = form.elements.namedItem("confirm_live").checked;
    if (!body.id) wrong.unshift("Name: a value is needed");
    if (Number.isNaN(body.cpu)) wrong.push(`CPU = ${given("cpu")}: is no number`);
    if (wrong.length) return mistakes(form, wrong);
    const button = form.querySelector("[type=submit]");
    button.disabled = true;
    try {
      await post("/deployments", body);
      notice(`Start: ${body.id}`);
      location.hash = `#/deployments/${encodeURIComponent(body.id)}`;
    } catch (error) {
      mistakes(form, error.errors?.length ? error.errors : [error.message, ...near(error)]);
    } finally {
      button.disabled = false;
    }
  }
}

const near = (error) => (error.near?.length ? [`Did you mean ${error.near.join(", ")}?`] : []);

function live(event) {
  const form = event.target.form;
  const box = form.querySelector("[data-live]");
  box.hidden = event.target.value !== "live";
  if (box.hidden) form.elements.confirm_live.checked = false;
}

function text(name, label, help, attributes) {
  return h("label", { class: "field" },
    h("span", {}, label, attributes.required ? h("span", { class: "wrong", title: "needed" }, " *") : null),
    h("input", { type: "text", name, autocomplete: "off", spellcheck: "false", "aria-describedby": `f-${name}-help`, ...attributes }),
    h("small", { id: `f-${name}-help` }, help));
}

/** Show what is wrong above the form, mark the fields that it names, and go there. */
export function mistakes(form, list) {
  const box = form.querySelector(".mistakes");
  box.hidden = false;
  box.replaceChildren(h("ul", {}, list.map((line) => h("li", {}, line))));
  const named = new Set(list.map((line) => /^[\w.-]+/.exec(line)?.[0]));
  for (const input of form.elements) {
    if (named.has(input.name) || named.has(input.name.replace(/^parameters\./, ""))) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }
  box.focus();
  box.scrollIntoView({ block: "nearest" });
}
