// Keep the focus where it was, give keys back to what has the focus, and tell screen readers what they must know.

import { ASKING } from "./asking.js";
import { activeIn, queryAll, targetOf } from "../core/dom.js";

const ANNOUNCED_LENGTH = 200; // characters of a request that are read out; the rest is there to be read
const FOCUSABLE = "a[href], button, input, textarea, select, summary";

/** The style of an element for screen readers only. */
export const UNSEEN = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap";

/**
 * What stays the same when a button, link or fold is drawn again.
 *
 * @param {HTMLElement} node
 */
function identity(node) {
  const { intent, id, reply } = node.dataset;
  const fold = node.parentElement?.dataset.fold;
  const { name, value, href } = /** @type {Partial<HTMLInputElement & HTMLAnchorElement>} */ (node);
  return JSON.stringify([node.tagName, intent, id, reply, fold, name, value, href]);
}

/** @param {HTMLElement} node */
function placeOf(node) {
  return /** @type {HTMLElement | null} */ (node.closest("[data-key]"))?.dataset.key;
}

/**
 * Run `change` on the nodes below `root`. If the focus goes with them, focus what replaced its node, else the root.
 *
 * @param {HTMLElement} root
 * @param {() => void} change
 */
export function keepFocus(root, change) {
  const active = activeIn(root);
  const focused = active && active !== root && root.contains(active) ? active : null;
  const wanted = focused && identity(focused);
  const place = focused && placeOf(focused); // the same button may be on many cards
  change();
  if (!focused || root.contains(focused)) return;
  const same = queryAll(root, FOCUSABLE).filter((node) => identity(node) === wanted);
  const best = same.find((node) => placeOf(node) === place) ?? same[0] ?? root;
  best.focus({ preventScroll: true });
}

/**
 * Announce each request of the agent once, at once: a screen reader would read a live transcript over and over. Requests
 * are known by their own ids: keys start again with the next session in the same view.
 *
 * @param {HTMLElement} root
 * @param {HTMLElement} region an assertive live region
 * @returns {() => void} call it after each change
 */
export function createAnnouncer(root, region) {
  /** @type {Set<string | undefined>} */
  const announced = new Set();
  return () => {
    const fresh = queryAll(root, ASKING).filter(({ dataset }) => !announced.has(dataset.id));
    if (!fresh.length) return;
    for (const { dataset } of fresh) announced.add(dataset.id);
    region.textContent = fresh.map((card) => card.innerText.replace(/\s+/g, " ").slice(0, ANNOUNCED_LENGTH)).join(" ");
  };
}

/**
 * Keep Jupyter's shortcuts away from what has the focus if it `matches`: some delete cells. JupyterLab looks for the
 * attribute on that element only; Notebook does so before any listener here gets the key. Both also take Shift+Enter's
 * new line away, with a listener for `beforeinput`.
 *
 * @param {HTMLElement} root
 * @param {AbortSignal} signal
 * @param {string} [matches]
 */
export function keepKeys(root, signal, matches = `input, textarea, select, button, [tabindex="0"], ${ASKING}`) {
  root.addEventListener("focusin", (event) => {
    const target = targetOf(event);
    if (target.matches(matches)) target.dataset.lmSuppressShortcuts = "";
  }, { signal });
  root.addEventListener("beforeinput", (event) => event.stopPropagation(), { capture: true, signal });
}
