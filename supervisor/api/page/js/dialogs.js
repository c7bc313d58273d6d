// Questions that stop everything else: the key, and "are you sure". Modal dialogs of the browser's own.

import { key, locked } from "./api.js";
import { h } from "./dom.js";

let count = 0;

/** Show a dialog until it is answered; return what `read` makes of its form, or null if it was left. */
function ask(title, body, { confirm, danger = false, read, again = null, cancel = "Cancel" }) {
  const name = `dialog-${++count}`;
  const opener = document.activeElement;
  return new Promise((resolve) => {
    const form = h("form", { novalidate: Boolean(again) },
      h("h2", { id: name }, title), body,
      h("div", { class: "buttons" },
        h("button", { type: "button", value: "cancel" }, cancel),
        h("button", { type: "submit", class: danger ? "danger" : "primary" }, confirm)));
    const dialog = h("dialog", { "aria-labelledby": name }, form);
    const end = (value) => {
      dialog.remove();
      if (opener?.isConnected) opener.focus({ preventScroll: true });
      resolve(value);
    };
    form.onsubmit = (event) => {
      event.preventDefault();
      end(read(form));
    };
    form.querySelector("[value=cancel]").onclick = () => end(null);
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      end(null);
    });
    document.body.append(dialog);
    dialog.showModal();
    (form.querySelector("[data-first]") ?? form.querySelector("[value=cancel]")).focus();
  });
}

/**
 * Ask before something is done. `reason`: asks for one, "required" if it must be given; `type`: the word that has
 * to be typed. Returns `{reason}`, or null if the reader would rather not.
 */
export function confirm({ title, text, confirm: verb, danger = false, reason = false, type = "" }) {
  const body = [
    ...[text].flat().map((line) => h("p", {}, line)),
    reason && h("label", { class: "field" }, h("span", {}, reason === "required" ? "Reason" : "Reason (optional)"),
      h("input", { name: "reason", maxlength: 500, autocomplete: "off", required: reason === "required",
        "data-first": !type })),
    type && h("label", { class: "field" }, h("span", {}, "To confirm, type ", h("strong", {}, type)),
      h("input", { name: "typed", required: true, autocomplete: "off", autocapitalize: "off", spellcheck: "false",
        pattern: literally(type), title: type, "data-first": true })),
  ];
  return ask(title, body, { confirm: verb, danger, read: (form) => ({ reason: form.elements.reason?.value.trim() ?? "" }) });
}

/** A pattern that only `text` matches. It has the flag v, by which nothing else may be escaped (HTML, 4.10.5.3.6). */
export function literally(text) {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}

let asking = null;

/** Ask for the key, once however many requests were refused; the promise is true once there is another one. */
export function askForKey(why = "") {
  if (locked.is) return Promise.resolve(false);
  asking ??= ask("Key needed", [
    h("p", {}, why || "This daemon asks who you are."),
    h("p", { class: "muted" }, "Make one on its host with ", h("code", {}, "stratd keys create"),
      ". It is kept for this tab only, until you close it."),
    h("label", { class: "field" }, h("span", {}, "Key"),
      h("input", { name: "key", type: "password", required: true, autocomplete: "off", spellcheck: "false",
        "data-first": true })),
  ], { confirm: "Use it", read: (form) => form.elements.key.value.trim() })
    .then((given) => {
      if (given) key.set(given);
      locked.is = !given;
      return Boolean(given);
    })
    .finally(() => (asking = null));
  return asking;
}

/** The dialog behind the button "Key": another one, or none. */
export async function changeKey() {
  locked.is = false;
  if (!key.get()) return askForKey("Requests are sent without a key.");
  const forget = await confirm({
    title: "Forget the key?", text: "This tab has a key. The next request that needs one asks for it again.",
    confirm: "Forget it",
  });
  if (forget) key.set("");
  return Boolean(forget);
}

/** Show one line about what was done, or what went wrong: that stays until it is put away. */
export function notice(text, { bad = false, more = [] } = {}) {
  const box = document.getElementById("notices");
  const item = h("div", { class: bad ? "notice bad" : "notice", role: bad ? "alert" : null },
    h("div", {}, h("p", {}, text), more.length ? h("ul", {}, more.map((line) => h("li", {}, line))) : null),
    h("button", { type: "button", class: "quiet", "aria-label": "Put away", onclick: () => item.remove() }, "×"));
  box.append(item);
  while (box.children.length > 4) box.firstElementChild.remove();
  if (!bad) setTimeout(() => item.remove(), 6000);
}

/** Show what went wrong, in the daemon's own words. */
export function complain(error, what = "") {
  if (error.name === "AbortError") return;
  const near = error.near?.length ? [`Did you mean ${error.near.join(", ")}?`] : [];
  const listed = (error.errors ?? []).filter((line) => line !== error.message);
  notice(what ? `${what}: ${error.message}` : error.message, { bad: true, more: [...listed, ...near] });
}
