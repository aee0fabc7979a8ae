// Move through the changes by keys: from change to change, file to file, line to line.

/** @import { Bodies } from "./bodies.js" */

import { isCurrent } from "./bodies.js";
import { activeIn, closest, isComposing, query, queryAll, targetOf } from "../core/dom.js";
import { saveNotebook } from "../core/jupyter.js";

const HEAD_PX = 40; // height of a file's line, which stays at the top of the pane

/** @typedef {1 | -1} Direction */

/** @param {HTMLDetailsElement} section */
const summaryOf = (section) => /** @type {HTMLElement} */ (query(section, "summary"));
/** @param {Element} node */
const fileOf = (node) => /** @type {HTMLDetailsElement | null} */ (closest(node, ".oc-section"));

/**
 * List where `n` and `p` stop: each change, and the line of a file that shows none (yet).
 *
 * @param {HTMLElement} root
 */
export function stopsIn(root) {
  const sections = /** @type {HTMLDetailsElement[]} */ (queryAll(root, ".oc-section:not([hidden])"));
  return sections.flatMap((section) => {
    const changes = section.open && isCurrent(section) ? queryAll(section, ".oc-change") : [];
    return changes.length ? changes : [summaryOf(section)];
  });
}

/**
 * Find the next stop.
 *
 * @param {HTMLElement[]} stops in the document's order
 * @param {Element | null} from null to begin at an end
 * @param {Direction} direction
 * @returns {HTMLElement | undefined}
 */
export function nextStop(stops, from, direction) {
  if (!from) return direction > 0 ? stops[0] : stops.at(-1);
  /** @param {HTMLElement} node */
  const isAhead = (node) => {
    const relation = from.compareDocumentPosition(node);
    if (direction > 0) return Boolean(relation & Node.DOCUMENT_POSITION_FOLLOWING);
    return Boolean(relation & Node.DOCUMENT_POSITION_PRECEDING) && !node.contains(from);
  };
  return direction > 0 ? stops.find(isAhead) : stops.findLast(isAhead);
}

/**
 * Find the line beside the one that has the focus; from a change, its first line or the line before it.
 *
 * @param {HTMLElement} node
 * @param {Direction} direction
 * @returns {HTMLElement | undefined}
 */
export function nextLine(node, direction) {
  const section = fileOf(node);
  const rows = section ? queryAll(section, "[data-at]") : [];
  if (node.matches("[data-at]")) return rows[rows.indexOf(node) + direction];
  const change = closest(node, ".oc-change");
  const first = change && query(change, "[data-at]");
  return rows[(first ? rows.indexOf(first) : -1) + (direction > 0 ? 0 : -1)];
}

/**
 * Name what has the focus, so that it is found again after it was drawn again.
 *
 * @param {HTMLElement} target
 * @returns {string | null} a selector
 */
export function placeSelector(target) {
  const { at, hunk, goto } = target.dataset;
  if (at) return `.oc-section[data-index="${fileOf(target)?.dataset.index}"] [data-at="${at}"]`;
  if (hunk) return `[data-hunk="${hunk}"]`;
  return goto ? `[data-goto="${goto}"]` : null;
}

/**
 * Make what focuses a node and scrolls the pane, not the page, to it.
 *
 * @param {() => HTMLElement | null} pane
 */
function createFocus(pane) {
  /**
   * @param {HTMLElement} node
   * @param {boolean} top
   */
  function reveal(node, top) {
    const files = pane();
    if (!files) return;
    const box = files.getBoundingClientRect();
    const { top: y, height } = node.getBoundingClientRect();
    const above = y - box.top - HEAD_PX;
    if (top || above < 0) files.scrollTop += top ? y - box.top : above;
    else if (y + Math.min(height, 120) > box.bottom) files.scrollTop += above - box.height / 3;
  }
  /**
   * @param {HTMLElement} node
   * @param {boolean} [top] scroll it to the top of the pane
   */
  return (node, top = false) => {
    if (node.tabIndex < 0 && !node.hasAttribute("tabindex")) node.tabIndex = -1;
    node.focus({ preventScroll: true });
    reveal(node, top);
  };
}

/**
 * Move the focus through the changes; into a file that is not loaded yet, as soon as it is.
 *
 * @param {HTMLElement} root
 * @param {Bodies} bodies
 * @param {AbortSignal} signal
 */
export function createWalk(root, bodies, signal) {
  /** @type {{ section: HTMLDetailsElement, last: boolean } | null} */
  let awaited = null; // the file whose first or last change gets the focus when it is loaded
  /** @type {string | null} */
  let place = null; // what had the focus last: it may be drawn again

  const pane = () => query(root, ".oc-files");
  const focus = createFocus(pane);

  /** @param {HTMLDetailsElement} section */
  function goTo(section) {
    section.open = true;
    bodies.want(section);
    focus(summaryOf(section), true);
  }

  /** @param {Direction} direction */
  function step(direction) {
    const from = activeIn(root) ?? root;
    const target = nextStop(stopsIn(root), pane()?.contains(from) ? from : null, direction);
    const section = target && fileOf(target);
    if (!target || !section) return;
    if (target.matches("summary") && section.open && !isCurrent(section)) {
      awaited = { section, last: direction < 0 };
      goTo(section);
    } else focus(target);
  }

  /** @param {Direction} direction */
  function stepFile(direction) {
    const every = /** @type {HTMLDetailsElement[]} */ (queryAll(root, ".oc-section:not([hidden])"));
    const active = activeIn(root);
    const here = active && fileOf(active);
    const target = every[(here ? every.indexOf(here) : direction > 0 ? -1 : every.length) + direction];
    if (target) goTo(target);
  }

  /** @param {Direction} direction */
  function stepLine(direction) {
    const node = activeIn(root);
    if (!node?.closest(".oc-change, [data-at]")) return false;
    const row = nextLine(node, direction);
    if (row) focus(row);
    return true;
  }

  /** @type {Record<string, () => unknown>} */
  const keys = {
    n: () => step(1), j: () => step(1), p: () => step(-1), k: () => step(-1),
    "]": () => stepFile(1), "[": () => stepFile(-1),
    ArrowDown: () => stepLine(1), ArrowUp: () => stepLine(-1),
    "/": () => query(root, ".oc-filter")?.focus(),
    "?": () => query(root, ".oc-help > summary")?.click(),
  };

  root.addEventListener("keydown", (event) => {
    const { key, ctrlKey, metaKey, altKey, shiftKey } = event;
    if ((ctrlKey || metaKey) && !shiftKey && key === "s" && saveNotebook(root)) event.preventDefault();
    if (ctrlKey || metaKey || altKey || isComposing(event)) return;
    if (event.defaultPrevented || targetOf(event).matches("input, textarea")) return;
    const run = keys[key];
    if (run && run() !== false) event.preventDefault();
  }, { signal });
  root.addEventListener("focusin", (event) => {
    const target = targetOf(event);
    target.toggleAttribute("data-lm-suppress-shortcuts", true); // some of Jupyter's keys delete cells, see keepKeys
    if (target === root) return; // the root gets the focus when what had it is gone
    place = placeSelector(target);
    if (awaited && target !== summaryOf(awaited.section)) awaited = null;
  }, { signal });

  /** After something was drawn: focus what is awaited, or what had the focus before. */
  function refresh() {
    if (awaited && isCurrent(awaited.section)) {
      const changes = queryAll(awaited.section, ".oc-change");
      const target = awaited.last ? changes.at(-1) : changes[0];
      awaited = null;
      if (target) focus(target);
    } else if (place && activeIn(root) === root) {
      const target = query(root, place);
      if (target && fileOf(target)) focus(target);
      else target?.focus({ preventScroll: true });
    }
  }
  return { goTo, focus, refresh };
}

/** @typedef {ReturnType<typeof createWalk>} Walk */
