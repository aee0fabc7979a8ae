// Show the agent's requests one at a time, in the order in which they came, with the way to the others.

import { ASKING } from "./asking.js";
import { activeIn, closest, make, queryAll } from "../core/dom.js";

const PLACE = '[data-part="requests"]';

/**
 * Make the buttons around "1 of 3".
 *
 * @param {(by: number) => void} step
 */
function createSteps(step) {
  const count = make("span", { "aria-live": "polite" });
  /**
   * @param {string} label
   * @param {number} by
   */
  const button = (label, by) => make("button", {
    type: "button", class: "oc-step", "aria-label": label, title: label, "data-step": String(by), onclick: () => step(by),
  });
  const box = make("div", { class: "oc-pager", role: "group", "aria-label": "Open requests" },
    button("Previous request", -1), count, button("Next request", 1));
  return { box, count };
}

/**
 * Show one request of those below `root`; `around` runs each change of the page that the user asks for.
 *
 * @param {HTMLElement} root
 * @param {(change: () => void) => void} around
 */
export function createPager(root, around) {
  /** @type {HTMLElement | undefined} */
  let shown;
  let at = 0; // its place, which the next one takes

  const steps = createSteps((by) => around(() => {
    const cards = cardsNow();
    show(cards, (at + by + cards.length) % cards.length);
  }));
  const cardsNow = () => queryAll(root, PLACE).flatMap((place) => queryAll(place, ASKING));
  /**
   * @param {HTMLElement[]} cards
   * @param {number} index
   */
  const show = (cards, index) => {
    at = Math.max(0, Math.min(index, cards.length - 1));
    shown = cards[at];
    for (const card of cards) card.hidden = card !== shown;
    const told = cards.length > 1 ? `${at + 1} of ${cards.length}` : "";
    if (steps.count.textContent !== told) steps.count.textContent = told;
    if (!told) steps.box.remove();
    else if (steps.box.nextElementSibling !== cards[0]) cards[0]?.before(steps.box);
  };

  return {
    /**
     * Run a change of the page. The request that is shown stays; when it goes, the next one takes its place, and gets
     * the focus if that was in it.
     *
     * @param {() => void} change
     */
    around(change) {
      const active = activeIn(root);
      const focused = active && (closest(active, ASKING) ?? closest(active, ".oc-pager"));
      const id = shown?.dataset.id;
      change();
      const cards = cardsNow();
      const same = cards.findIndex(({ dataset }) => dataset.id === id);
      show(cards, same < 0 ? at : same);
      if (!focused || focused.isConnected || closest(activeIn(root) ?? root, ASKING)) return;
      shown?.focus({ preventScroll: true });
    },
  };
}
