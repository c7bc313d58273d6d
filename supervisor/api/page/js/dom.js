// Elements from values, and an old tree made like a new one. Text is always text: nothing here reads HTML.

const HANDLERS = ["onclick", "onchange", "oninput", "onsubmit", "onkeydown", "ontoggle"];

/**
 * Return an element. `props`: attributes (`true` is a bare one; `false`, null and undefined are none),
 * `on...` handlers, `style` as an object, `key` (what it is among its siblings), `keep` (its inside belongs
 * to somebody else: `morph` leaves it alone). Children: nodes, texts, numbers, lists of these; null is none.
 */
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === false || value === null || value === undefined) continue;
    if (HANDLERS.includes(name)) element[name] = value;
    else if (name === "style") for (const [rule, said] of Object.entries(value)) element.style.setProperty(rule, said);
    else if (name === "key" || name === "keep") element.dataset[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  add(element, children);
  return element;
}

function add(element, children) {
  for (const child of children) {
    if (Array.isArray(child)) add(element, child);
    else if (child !== null && child !== undefined && child !== false) {
      element.append(child instanceof Node ? child : document.createTextNode(String(child)));
    }
  }
}

/** Make `old` like `fresh`, changing no more than differs: focus, scroll and selections stay where they are. */
export function morph(old, fresh) {
  const focused = document.activeElement;
  become(old, fresh);
  // An element that moved within its parent was out of the document for a moment, and lost the focus.
  if (focused?.isConnected && focused !== document.activeElement && focused !== document.body) {
    focused.focus({ preventScroll: true });
  }
}

function become(old, fresh) {
  if (fresh.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  attributes(old, fresh);
  if (fresh.dataset.keep) return;
  if (old.style.cssText !== fresh.style.cssText) old.style.cssText = fresh.style.cssText;
  for (const name of HANDLERS) old[name] = fresh[name];
  children(old, fresh);
}

function attributes(old, fresh) {
  for (const { name } of [...old.attributes]) {
    // `open` of details is the reader's; `style` is set as an object, for the policy allows no attribute.
    if (!fresh.hasAttribute(name) && name !== "open" && name !== "style") old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (name !== "style" && name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}

function children(old, fresh) {
  const keyed = new Map();
  for (const child of old.children) if (child.dataset?.key !== undefined) keyed.set(child.dataset.key, child);
  let at = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const key = wanted.dataset?.key;
    const found = key === undefined ? (alike(at, wanted) ? at : null) : keyed.get(key);
    if (found && found.nodeName === wanted.nodeName) {
      keyed.delete(key);
      if (found === at) at = at.nextSibling;
      else old.insertBefore(found, at);
      become(found, wanted);
    } else {
      old.insertBefore(wanted, at);
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function alike(old, wanted) {
  return old !== null && old.nodeName === wanted.nodeName && old.dataset?.key === undefined;
}

/** Words for people who hear the page: said once, politely. */
export function announce(text) {
  const announcer = document.getElementById("announcer");
  announcer.textContent = announcer.textContent === text ? `${text}.` : text; // the same words again are said again
}
