// What the chrome of a view is made of: elements with text, never markup. What Python renders comes through view.js.

const SVG = "http://www.w3.org/2000/svg";
const ICONS = { // strokes on a field of 16 by 16
  check: "M3 8.5l3.5 3.5 6.5-7.5",
  chevron: "M3 5.5l5 5 5-5",
  attach: "M13 7.5 8 12.5a3 3 0 0 1-4.3-4.3l5.5-5.4a2 2 0 0 1 2.8 2.8L6.7 11a1 1 0 0 1-1.4-1.4L10 5",
  close: "M4 4l8 8M12 4l-8 8",
  copy: "M5.5 5.5h7v7h-7zM3.5 10.5h-1v-8h8v1",
  down: "M8 3v9M4 8.5l4 4 4-4",
  edit: "M3 13l.6-2.6 7.4-7.4 2 2-7.4 7.4z",
  fork: "M4.5 5v6M4.5 8h4a3 3 0 0 0 3-3M3 3.5a1.5 1.5 0 1 0 3 0 1.5 1.5 0 1 0-3 0M3 12.5a1.5 1.5 0 1 0 3 0 1.5 1.5 0 1 0-3 0M10 3.5a1.5 1.5 0 1 0 3 0 1.5 1.5 0 1 0-3 0",
  insert: "M2.5 3.5h11v4h-11zM8 9.5v4M6 11.5h4",
  more: "M3 8a.6.6 0 1 0 1.2 0 .6.6 0 1 0-1.2 0M7.4 8a.6.6 0 1 0 1.2 0 .6.6 0 1 0-1.2 0M11.8 8a.6.6 0 1 0 1.2 0 .6.6 0 1 0-1.2 0",
  plus: "M8 3v10M3 8h10",
  run: "M5 3.5l7 4.5-7 4.5z",
  send: "M8 13V3.5M3.5 8 8 3.5 12.5 8",
  stop: "M4.5 4.5h7v7h-7z",
  undo: "M6 3 3 6l3 3M3 6h6a4 4 0 0 1 0 8H6",
};

let made = 0;

/** A name for an element that no other has, in any view on the page. */
export function uniqueId() {
  made += 1;
  return `opencode-nb-${Math.random().toString(36).slice(2, 8)}-${made}`;
}

/** An element: attributes by name (false and undefined leave one out), functions as listeners (`onclick`), children. */
export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name.slice(2), value);
    else if (value !== false && value !== undefined) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "chat-icon");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** A button that is a picture: its name is told by a tooltip and to screen readers. */
export function iconButton(name, label, onclick, attributes = {}) {
  return make("button", { type: "button", class: "chat-tool", "aria-label": label, title: label, onclick, ...attributes },
    icon(name));
}

export function textButton(label, onclick, attributes = {}) {
  return make("button", { type: "button", class: "chat-button", onclick, ...attributes }, label);
}

/** Whether a key completes a word of an input method (Chinese, Japanese, Korean...) and means nothing to us. */
export function isComposing(event) {
  return event.isComposing || event.keyCode === 229; // Safari's Enter comes after the composition's end, with 229
}

/** Sets an attribute, a property or text only if it differs, so that nothing is announced, laid out or scrolled anew. */
export function update(node, values) {
  for (const [name, value] of Object.entries(values)) if (node[name] !== value) node[name] = value;
}

/** Has these children in this order: what is in its place is left there, and keeps the focus. */
export function setChildren(node, wanted) {
  for (const child of [...node.children]) if (!wanted.includes(child)) child.remove();
  wanted.forEach((child, index) => {
    if (child !== node.children[index]) node.insertBefore(child, node.children[index]);
  });
}

/** Puts text, or what a promise gives of it, into the clipboard. Throws where the browser does not let it, with what to do then. */
export async function copyText(given) {
  if (given instanceof Promise && navigator.clipboard?.write) { // Safari takes only what it is given while one clicks
    const blob = given.then((text) => new Blob([text], { type: "text/plain" }));
    return navigator.clipboard.write([new ClipboardItem({ "text/plain": blob })]);
  }
  const text = await given;
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = make("textarea", { style: "position:fixed;opacity:0" }); // a page that is not from localhost or https
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("The browser does not let this page copy. Select the text, and copy it by keys.");
}

/** What the browser keeps for this tab. A frame without an origin (some viewers' sandboxes) has no storage: then nothing is kept. */
export const tabStore = {
  get(key) {
    try { return sessionStorage.getItem(key) ?? ""; } catch { return ""; }
  },
  set(key, value) {
    try {
      if (value) sessionStorage.setItem(key, value);
      else sessionStorage.removeItem(key);
    } catch { /* as above, or full: a draft is a convenience */ }
  },
};
