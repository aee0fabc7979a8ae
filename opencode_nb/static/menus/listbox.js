// A list to choose from, for a field that keeps the focus.

import { closest, isComposing, make, targetOf, uniqueId } from "../core/dom.js";

const PAGE = 8; // options that PageUp and PageDown skip

/** @type {Record<string, number>} */
const STEPS = { ArrowDown: 1, ArrowUp: -1, PageDown: PAGE, PageUp: -PAGE };

/**
 * An option: `detail` stands beside its label, to tell it from others.
 *
 * @typedef {{ label: string, detail?: string, [field: string]: any }} Option
 */

/**
 * Where a key leads in a list: one step wraps around, a page stops at the ends.
 *
 * @param {string} key
 * @param {number} active index, -1 for none
 * @param {number} count
 * @returns {number | undefined} undefined where the key does not move
 */
export function moved(key, active, count) {
  const step = STEPS[key];
  if (!step) return undefined;
  const next = active + step;
  return Math.abs(step) === 1 ? (next + count) % count : Math.min(Math.max(next, 0), count - 1);
}

/**
 * @param {Option} option
 * @param {string} id
 */
function makeOption({ label, detail = "" }, id) {
  return make("li", { role: "option", id, class: "chat-option", "aria-selected": "false" },
    make("span", { class: "chat-option-label", dir: "auto" }, label),
    make("span", { class: "chat-option-detail" }, detail));
}

/**
 * Make a listbox. The field's aria-activedescendant says which option is active.
 *
 * @template {Option} T
 * @param {object} options
 * @param {HTMLElement} options.field keeps the focus
 * @param {string} options.label
 * @param {(item: T) => void} options.choose
 * @param {(open: boolean) => void} [options.changed] called when the list opens or closes
 */
export function createListbox({ field, label, choose, changed = () => {} }) {
  const id = uniqueId();
  const list = make("ul", { role: "listbox", id, "aria-label": label, class: "chat-list", hidden: true });
  /** @type {T[]} */
  let items = [];
  let active = -1;

  /** @param {number} index */
  const activate = (index) => {
    list.children[active]?.setAttribute("aria-selected", "false");
    active = index;
    const node = list.children[active];
    if (!node) return field.removeAttribute("aria-activedescendant");
    node.setAttribute("aria-selected", "true");
    field.setAttribute("aria-activedescendant", node.id);
    return node.scrollIntoView({ block: "nearest" });
  };
  /**
   * @param {T[]} given
   * @param {number} [first] index of the option that is active at first
   */
  const show = (given, first = 0) => {
    items = given;
    list.replaceChildren(...items.map((item, index) => makeOption(item, `${id}-${index}`)));
    list.hidden = items.length === 0;
    changed(!list.hidden);
    activate(list.hidden ? -1 : first);
  };
  const hide = () => {
    if (!list.hidden) show([]);
  };
  /** @param {number} index */
  const take = (index) => {
    const item = items[index];
    hide();
    if (item) choose(item);
  };

  list.addEventListener("mousedown", (event) => event.preventDefault()); // the field keeps the focus
  list.addEventListener("click", (event) => {
    const node = closest(targetOf(event), "[role=option]");
    if (node) take([...list.children].indexOf(node));
  });

  return {
    list,
    show,
    hide,
    get open() { return !list.hidden; },
    /** The active option. */
    get active() { return items[active]; },
    /**
     * Handle a key of the field; return whether it was meant for the list.
     *
     * @param {KeyboardEvent} event
     */
    key(event) {
      if (list.hidden || isComposing(event)) return false;
      const next = moved(event.key, active, items.length);
      if (next !== undefined) activate(next);
      else if ((event.key === "Enter" || event.key === "Tab") && !event.shiftKey && active >= 0) take(active);
      else if (event.key === "Escape") hide();
      else return false;
      event.preventDefault();
      event.stopPropagation();
      return true;
    },
  };
}
