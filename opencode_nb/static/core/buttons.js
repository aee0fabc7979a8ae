// Buttons with an icon or a text.

/** @import { Attributes } from "./dom.js" */

import { closest, make, targetOf, update } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
const ICONS = { // strokes on a field of 16 by 16
  cells: "M2.5 2.5h11v4.5h-11zM2.5 9.5h11v4h-11z",
  check: "M3 8.5l3.5 3.5 6.5-7.5",
  chevron: "M3 5.5l5 5 5-5",
  attach: "M13 7.5 8 12.5a3 3 0 0 1-4.3-4.3l5.5-5.4a2 2 0 0 1 2.8 2.8L6.7 11a1 1 0 0 1-1.4-1.4L10 5",
  close: "M4 4l8 8M12 4l-8 8",
  copy: "M5.5 5.5h7v7h-7zM3.5 10.5h-1v-8h8v1",
  down: "M8 3v9M4 8.5l4 4 4-4",
  edit: "M3 13l.6-2.6 7.4-7.4 2 2-7.4 7.4z",
  fork: "M4.5 5v6M4.5 8h4a3 3 0 0 0 3-3M3 3.5a1.5 1.5 0 1 0 3 0 1.5 1.5 0 1 0-3 0M3 12.5a1.5 1.5 0 1 0 3 0 1.5 1.5 0 1 0-3 0M10 3.5a1.5 1.5 0 1 0 3 0 1.5 1.5 0 1 0-3 0",
  insert: "M2.5 3.5h11v4h-11zM8 9.5v4M6 11.5h4",
  kernel: "M4.5 4.5h7v7h-7zM6.5 2v2.5M9.5 2v2.5M6.5 11.5V14M9.5 11.5V14M2 6.5h2.5M2 9.5h2.5M11.5 6.5H14M11.5 9.5H14",
  more: "M3 8a.6.6 0 1 0 1.2 0 .6.6 0 1 0-1.2 0M7.4 8a.6.6 0 1 0 1.2 0 .6.6 0 1 0-1.2 0M11.8 8a.6.6 0 1 0 1.2 0 .6.6 0 1 0-1.2 0",
  plus: "M8 3v10M3 8h10",
  run: "M5 3.5l7 4.5-7 4.5z",
  send: "M8 13V3.5M3.5 8 8 3.5 12.5 8",
  stop: "M4.5 4.5h7v7h-7z",
  up: "M3 10.5l5-5 5 5",
  undo: "M6 3 3 6l3 3M3 6h6a4 4 0 0 1 0 8H6",
};

/** @typedef {keyof typeof ICONS} IconName */

/**
 * Draw an icon.
 *
 * @param {IconName} name
 */
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

/**
 * Make a button with an icon. Its label is a tooltip, and its name for screen readers.
 *
 * @param {IconName} name
 * @param {string} label
 * @param {((event: any) => unknown) | undefined} onclick
 * @param {Attributes} [attributes]
 */
export function iconButton(name, label, onclick, attributes = {}) {
  return make("button", { type: "button", class: "chat-tool", "aria-label": label, title: label, onclick, ...attributes },
    icon(name));
}

/**
 * Make a button with a text.
 *
 * @param {string} label
 * @param {(event: any) => unknown} onclick
 * @param {Attributes} [attributes]
 */
export function textButton(label, onclick, attributes = {}) {
  return make("button", { type: "button", class: "chat-button", onclick, ...attributes }, label);
}

/**
 * Withhold a button, and say why; or give it back. It keeps the focus: see `keepWithheld`.
 *
 * @param {HTMLElement} button
 * @param {string | undefined} why "" or undefined gives it back
 * @param {string} [title] its tooltip when it is not withheld
 */
export function withhold(button, why, title = "") {
  button.toggleAttribute("data-withheld", Boolean(why));
  update(button, { ariaDisabled: why ? "true" : null, ariaDescription: why || null, title: why || title });
}

/**
 * Have withheld buttons below `root` do nothing.
 *
 * @param {HTMLElement} root
 * @param {AbortSignal} signal
 */
export function keepWithheld(root, signal) {
  root.addEventListener("click", (event) => {
    if (!closest(targetOf(event), "[data-withheld]")) return;
    event.preventDefault();
    event.stopPropagation();
  }, { capture: true, signal });
}
