// Find text in what a view shows, and mark it with the CSS Custom Highlight API, which leaves the page's nodes alone.

import { closest } from "./dom.js";

const MATCH = "opencode-nb-match";
const CURRENT = "opencode-nb-current";
const SKIPPED = ".oc-tex, annotation, button, [role=group]:is(.chat-turn-tools, .chat-code-tools)";
const SCROLLS = ".oc-scrolled, .oc-tall, .oc-scroll, [role=log]";

/**
 * Collect the text below `scope`: its nodes, where each begins in all of the text, and the text.
 *
 * @param {Node} scope
 */
function textOf(scope) {
  const walker = document.createTreeWalker(scope, NodeFilter.SHOW_TEXT, (node) => (
    node.parentElement?.closest(SKIPPED) ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT));
  /** @type {{ node: Text, start: number }[]} */
  const pieces = [];
  let text = "";
  while (walker.nextNode()) {
    const node = /** @type {Text} */ (walker.currentNode);
    pieces.push({ node, start: text.length });
    text += node.data;
  }
  return { pieces, text };
}

/**
 * Find where words are in a text, without regard to case.
 *
 * @param {string} text
 * @param {string} words
 */
export function placesOf(text, words) {
  const lower = text.toLowerCase();
  const folded = lower.length === text.length; // else its places are not those in the text
  const [where, what] = folded ? [lower, words.toLowerCase()] : [text, words];
  const places = [];
  for (let at = where.indexOf(what); what && at >= 0; at = where.indexOf(what, at + what.length)) places.push(at);
  return places;
}

/**
 * Find each place below `scope` that has these words, also across elements.
 *
 * @param {Node} scope
 * @param {string} words
 */
export function matchesIn(scope, words) {
  const { pieces, text } = textOf(scope);
  let index = 0;
  /**
   * @param {number} place not before the last one
   * @returns {[Text, number]}
   */
  const locate = (place) => {
    while (index + 1 < pieces.length && /** @type {{ start: number }} */ (pieces[index + 1]).start <= place) index += 1;
    const { node, start } = /** @type {{ node: Text, start: number }} */ (pieces[index]);
    return [node, place - start];
  };
  return placesOf(text, words).map((place) => {
    const range = document.createRange();
    range.setStart(...locate(place));
    const [node, last] = locate(place + words.length - 1);
    range.setEnd(node, last + 1);
    return range;
  });
}

/**
 * Mark these places; one of them is the current one. Without any, remove all marks.
 *
 * @param {Range[]} ranges
 * @param {Range} [current]
 */
export function mark(ranges, current) {
  if (!globalThis.CSS?.highlights) return; // a browser that cannot: the current place is still scrolled to
  CSS.highlights.set(MATCH, new Highlight(...ranges));
  CSS.highlights.set(CURRENT, new Highlight(...current ? [current] : []));
}

/**
 * Open what a place is folded into, and scroll it to the middle of each box around it, up to the log.
 *
 * @param {Range} range
 */
export function reveal(range) {
  const within = range.startContainer.parentElement;
  for (let fold = within && closest(within, "details:not([open])"); fold; fold = closest(fold, "details:not([open])")) {
    /** @type {HTMLDetailsElement} */ (fold).open = true;
  }
  for (let box = within && closest(within, SCROLLS); box; box = box.parentElement && closest(box.parentElement, SCROLLS)) {
    const [frame, place] = [box.getBoundingClientRect(), range.getBoundingClientRect()];
    box.scrollTop += place.top + place.height / 2 - frame.top - frame.height / 2;
    if (place.left < frame.left || place.right > frame.right) box.scrollLeft += place.left - frame.left - frame.width / 2;
  }
}
