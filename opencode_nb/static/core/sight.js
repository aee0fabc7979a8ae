// Find out how much of an element is in sight, whatever scrolls around it.

const PAGE_TAGS = new Set(["HTML", "BODY"]); // these scroll the window

/** @typedef {{ top: number, bottom: number }} Sight */

/**
 * Measure what the window, and everything around an element that scrolls or cuts off, leave in sight: in px of the
 * window. Nothing is in sight if `bottom` is not below `top`.
 *
 * @param {HTMLElement} node
 * @returns {Sight}
 */
export function sightOf(node) {
  const sight = { top: 0, bottom: window.innerHeight };
  for (let around = parentOf(node); around; around = parentOf(around)) {
    if (PAGE_TAGS.has(around.tagName) || getComputedStyle(around).overflowY === "visible") continue;
    const { top, bottom } = around.getBoundingClientRect();
    sight.top = Math.max(sight.top, top);
    sight.bottom = Math.min(sight.bottom, bottom);
  }
  return sight;
}

/**
 * Measure how many px of an element's height are in sight.
 *
 * @param {HTMLElement} node
 */
export function heightInSight(node) {
  const sight = sightOf(node);
  const { top, bottom } = node.getBoundingClientRect();
  return Math.max(0, Math.min(bottom, sight.bottom) - Math.max(top, sight.top));
}

/**
 * Return the element around another one, also out of a shadow root.
 *
 * @param {Element} node
 * @returns {Element | null}
 */
function parentOf(node) {
  return node.parentElement ?? /** @type {ShadowRoot} */ (node.getRootNode()).host ?? null;
}
