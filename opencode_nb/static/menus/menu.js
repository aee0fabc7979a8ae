// A button with a menu.

import { withhold } from "../core/buttons.js";
import { make, targetOf, uniqueId } from "../core/dom.js";

/** @typedef {{ label: string, run: () => unknown, why?: string | undefined }} Item `why` it is withheld, if it is */

/** @type {Record<string, number>} */
const MOVES = { ArrowDown: 1, ArrowUp: -1 };

/**
 * Where a key leads in a menu: arrows wrap around.
 *
 * @param {string} key
 * @param {number} from index
 * @param {number} count
 * @returns {number | undefined} undefined where the key does not move
 */
export function movedInMenu(key, from, count) {
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  return MOVES[key] === undefined ? undefined : (from + MOVES[key] + count) % count;
}

/**
 * Give a button a menu.
 *
 * @param {HTMLButtonElement} button
 * @param {() => Item[]} items called when the menu opens
 * @returns {HTMLElement} the button with its menu
 */
export function createMenu(button, items) {
  const menu = make("div", {
    role: "menu", id: uniqueId(), class: "chat-list chat-menu", "aria-label": button.ariaLabel ?? "", hidden: true,
  });
  const box = make("div", { class: "chat-anchor" }, button, menu);
  button.setAttribute("aria-haspopup", "menu");
  button.setAttribute("aria-controls", menu.id);
  button.setAttribute("aria-expanded", "false");

  /** @param {boolean} refocus */
  const close = (refocus) => {
    menu.hidden = true;
    button.setAttribute("aria-expanded", "false");
    if (refocus) button.focus();
  };
  /** @param {Item} item */
  const entry = ({ label, run, why }) => {
    const node = make("button", {
      type: "button", role: "menuitem", tabindex: "-1", class: "chat-option",
      onclick() {
        close(true);
        run();
      },
    }, label);
    withhold(node, why);
    return node;
  };
  /** @returns {HTMLElement[]} */
  const entries = () => [.../** @type {HTMLCollectionOf<HTMLElement>} */ (menu.children)];
  const open = () => {
    menu.replaceChildren(...items().map(entry));
    menu.hidden = false;
    button.setAttribute("aria-expanded", "true");
    entries()[0]?.focus();
  };

  button.addEventListener("click", () => (menu.hidden ? open() : close(true)));
  button.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown") return;
    event.preventDefault();
    open();
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.stopPropagation();
      close(true);
    } else if (event.key === "Tab") close(true);
    else {
      const all = entries();
      const to = movedInMenu(event.key, all.indexOf(targetOf(event)), all.length);
      if (to === undefined) return;
      all[to]?.focus();
      event.preventDefault();
    }
  });
  box.addEventListener("focusout", ({ relatedTarget }) => {
    if (!menu.hidden && !box.contains(/** @type {Node | null} */ (relatedTarget))) close(false);
  });
  return box;
}
