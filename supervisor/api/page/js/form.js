// A form made from the JSON Schema of a strategy's parameters (2020-12, as GET /strategies/ID/schema gives it).

import { h } from "./dom.js";

/** Return what to ask for, in the schema's order: `{name, kind, label, help, required, nullable, ...}`. Pure. */
export function fieldsOf(schema) {
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {}).map(([name, one]) => {
    const types = [one.type ?? []].flat();
    const kind = one.enum ? "choice"
      : types.includes("boolean") ? "flag"
        : types.includes("array") ? "list"
          : types.includes("string") ? (types.includes("number") ? "either" : "text")
            : types.includes("integer") ? "integer"
              : types.includes("number") ? "number" : "json";
    return {
      name, kind, required: required.has(name), nullable: types.includes("null") || (one.enum ?? []).includes(null),
      help: [one.description, bounds(one, kind)].filter(Boolean).join(" · "), default: one.default, schema: one,
    };
  });
}

function bounds(one, kind) {
  const low = one.minimum ?? one.exclusiveMinimum;
  const word = kind === "list" ? "items" : "";
  const [least, most] = kind === "list" ? [one.minItems, one.maxItems] : [low, one.maximum];
  const parts = [];
  if (kind === "list" && most === 1000) return "Separated by commas";
  if (least !== undefined && most !== undefined) parts.push(`${least} to ${most}`);
  else if (one.exclusiveMinimum !== undefined) parts.push(`above ${one.exclusiveMinimum}`);
  else if (least !== undefined) parts.push(`at least ${least}`);
  else if (most !== undefined) parts.push(`at most ${most}`);
  if (kind === "list") parts.push("separated by commas");
  if (kind === "either") return "Seconds, or such as 90s, 5m, 1h";
  return [parts.join(" "), word && parts.length > 1 ? "" : word].filter(Boolean).join(" ");
}

/** Return the text that stands in a field for a value. Pure. */
export function written(value, kind) {
  if (value === undefined || value === null) return "";
  if (kind === "list") return value.map((item) => (typeof item === "string" ? item : JSON.stringify(item))).join(", ");
  if (kind === "json" || kind === "choice") return JSON.stringify(value);
  return String(value);
}

const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;

/** Return the value that a text means for a field; undefined is "not given". Raises with one line. Pure. */
export function read(text, field) {
  const given = text.trim();
  if (given === "") {
    if (field.required) throw new Error(`${field.name}: a value is needed`);
    return undefined;
  }
  if (field.kind === "integer" || field.kind === "number") {
    const value = Number(given);
    if (!NUMBER.test(given) || !Number.isFinite(value)) throw new Error(`${field.name} = ${given}: is no number`);
    if (field.kind === "integer" && !Number.isSafeInteger(value)) throw new Error(`${field.name} = ${given}: is no whole number`);
    return value;
  }
  if (field.kind === "either") return NUMBER.test(given) ? Number(given) : given;
  if (field.kind === "list") return items(given, field);
  if (field.kind === "choice" || field.kind === "json") {
    try {
      return JSON.parse(given);
    } catch {
      throw new Error(`${field.name}: is no JSON`);
    }
  }
  return given;
}

function items(given, { name, schema }) {
  if (given.startsWith("[")) {
    try {
      return JSON.parse(given);
    } catch {
      throw new Error(`${name}: is no list in JSON`);
    }
  }
  const parts = given.split(",").map((part) => part.trim()).filter(Boolean);
  // The schema need not say what is in a list: what is there by default is such a thing.
  const like = schema.items?.enum ?? schema.default ?? [];
  if (!like.length || !like.every((one) => typeof one === "number")) return parts;
  const wrong = parts.find((part) => !NUMBER.test(part));
  if (wrong !== undefined) throw new Error(`${name} = ${wrong}: is no number`);
  return parts.map(Number);
}

// A strategy may call a parameter `mode` or `length`: the form has fields, and its collection members, of these names.
const inputName = (field) => `parameters.${field.name}`;

/** Return the element of one field; `id` is of its input. */
export function fieldset(field, id) {
  const help = field.help ? h("small", { id: `${id}-help` }, field.help) : null;
  const common = { id, name: inputName(field), "aria-describedby": help ? `${id}-help` : null };
  if (field.kind === "flag" && !field.nullable) {
    return h("label", { class: "field check" },
      h("input", { ...common, type: "checkbox", checked: field.default === true }), h("span", {}, field.name), help);
  }
  return h("label", { class: "field" },
    h("span", {}, field.name, field.required ? h("span", { class: "wrong", title: "needed" }, " *") : null),
    control(field, common), help);
}

function control(field, common) {
  const text = written(field.default, field.kind);
  if (field.kind === "choice" || field.kind === "flag") {
    const choices = field.kind === "flag" ? [true, false] : field.schema.enum.filter((one) => one !== null);
    const none = field.nullable || (field.required && field.default === undefined);
    return h("select", { ...common, required: field.required },
      none ? h("option", { value: "", selected: text === "" }, field.nullable ? "none" : "choose…") : null,
      choices.map((one) => h("option", { value: JSON.stringify(one), selected: JSON.stringify(one) === (text || undefined) }, String(one))));
  }
  const numeric = field.kind === "integer" || field.kind === "number";
  return h("input", {
    ...common, value: text, required: field.required, autocomplete: "off", spellcheck: "false",
    type: "text", inputmode: field.kind === "integer" ? "numeric" : numeric ? "decimal" : null,
    maxlength: field.kind === "text" ? field.schema.maxLength : null,
  });
}

/**
 * Return what a form says of `fields`: `{values, wrong}`. What is as the default has it is left out: then a later
 * version's default holds. An emptied field that may be null is null.
 */
export function collect(form, fields) {
  const values = {};
  const wrong = [];
  for (const field of fields) {
    const input = form.elements.namedItem(inputName(field));
    try {
      const value = field.kind === "flag" && !field.nullable ? input.checked
        : read(input.value, field.kind === "flag" ? { ...field, kind: "choice" } : field);
      const effective = value === undefined && field.nullable ? null : value;
      if (effective === undefined || JSON.stringify(effective) === JSON.stringify(field.default)) continue;
      if (effective === null && field.default === undefined && !field.required) continue;
      values[field.name] = effective;
    } catch (error) {
      wrong.push(error.message);
    }
  }
  return { values, wrong };
}
