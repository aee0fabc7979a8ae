// Choose what the agent may use and know of the kernel.

/** @import { KernelAccess, State } from "./types.js" */
/** @import { Client } from "./client.js" */

import { icon } from "../core/buttons.js";
import { make, uniqueId, update } from "../core/dom.js";

const LOOKS = "The agent looks at variables, and asks before it runs Python here.";

/**
 * Write a choice in a few words, for the button and for its name.
 *
 * @param {KernelAccess} kernel
 */
export function accessText({ tools, level }) {
  return { short: tools ? level : `${level}, no tools`, name: `Kernel: tools ${tools ? "on" : "off"}, privacy ${level}` };
}

/**
 * Let a button show and hide a box, which closes when the focus leaves it.
 *
 * @param {HTMLElement} anchor around both
 * @param {HTMLElement} button
 * @param {HTMLElement} box
 * @param {HTMLElement} first has the focus when the box opens
 * @param {AbortSignal} signal
 */
function disclose(anchor, button, box, first, signal) {
  /** @param {boolean} open */
  const show = (open) => {
    box.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    if (open) first.focus();
  };
  button.setAttribute("aria-controls", box.id);
  show(false);
  button.addEventListener("click", () => show(Boolean(box.hidden)));
  anchor.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || box.hidden) return;
    event.stopPropagation();
    show(false);
    button.focus();
  });
  anchor.addEventListener("focusout", ({ relatedTarget }) => {
    if (!box.hidden && relatedTarget && !anchor.contains(/** @type {Node} */ (relatedTarget))) show(false);
  });
  button.ownerDocument.addEventListener("pointerdown", (event) => {
    if (!box.hidden && !event.composedPath().includes(anchor)) show(false);
  }, { capture: true, signal });
}

/**
 * Show what can be chosen, and what is.
 *
 * @param {HTMLSelectElement} select
 * @param {{ name: string, about: string }[]} choices
 * @param {string} chosen
 */
function offer(select, choices, chosen) {
  if ([...select.options].map(({ value }) => value).join() !== choices.map(({ name }) => name).join()) {
    select.replaceChildren(...choices.map(({ name, about }) => make("option", { value: name }, `${name}: ${about}`)));
  }
  update(select, { value: chosen });
}

/**
 * Make the button with its box: a switch for the tools, the privacy level with what it does not cover, and where the
 * agent's code stands.
 *
 * @param {object} options
 * @param {Client} options.client
 * @param {AbortSignal} options.signal
 */
export function createKernelAccess({ client, signal }) {
  /** @type {KernelAccess | null} */
  let kernel = null;
  /** @param {{ tools?: boolean, level?: string, place?: string }} choice */
  const choose = async (choice) => {
    await client.tell("kernel", choice);
    if (kernel) fill(kernel); // a refused choice is not shown as chosen
  };
  const tools = make("input", { type: "checkbox", role: "switch", id: uniqueId() });
  tools.addEventListener("change", () => choose({ tools: tools.checked }));
  const asks = make("div", { class: "chat-muted", id: uniqueId() }, LOOKS);
  tools.setAttribute("aria-describedby", asks.id);
  const level = make("select", { class: "chat-select", id: uniqueId() });
  level.addEventListener("change", () => choose({ level: level.value }));
  const limits = make("div", { class: "chat-muted", id: uniqueId() });
  level.setAttribute("aria-describedby", limits.id);
  const place = make("select", { class: "chat-select", id: uniqueId() });
  place.addEventListener("change", () => choose({ place: place.value }));
  const box = make("div", { class: "chat-list chat-kernel-box", id: uniqueId(), role: "group", "aria-label": "Kernel", hidden: true },
    make("div", { class: "chat-kernel-line" }, tools, make("label", { for: tools.id }, "Kernel tools")), asks,
    make("div", { class: "chat-kernel-line" }, make("label", { for: level.id }, "Privacy"), level), limits,
    make("div", { class: "chat-kernel-line" }, make("label", { for: place.id }, "Code it runs"), place));
  const short = make("span", { class: "chat-kernel-level", "aria-hidden": "true" });
  const button = make("button", { type: "button", class: "chat-tool chat-kernel" }, icon("kernel"), short);
  const anchor = make("div", { class: "chat-anchor", hidden: true }, button, box);
  disclose(anchor, button, box, tools, signal);

  /** @param {KernelAccess} given */
  const fill = (given) => {
    const said = accessText(given);
    update(short, { textContent: said.short });
    update(button, { ariaLabel: said.name, title: said.name });
    update(tools, { checked: given.tools, disabled: Boolean(given.lacks) });
    update(asks, { textContent: given.lacks || LOOKS });
    update(place, { disabled: Boolean(given.lacks) });
    offer(level, given.levels, given.level);
    offer(place, given.places, given.place);
    update(limits, { textContent: given.not_covered });
  };
  return {
    box: anchor,
    /** @param {State} state */
    show(state) {
      kernel = state.kernel ?? null;
      update(anchor, { hidden: !kernel });
      if (kernel) fill(kernel);
    },
  };
}
