// Patch the nodes of a view by key. Python renders; no view edits what it shows.

/** @import { Op } from "../core/types.js" */

import { queryAll } from "../core/dom.js";
import { keepFocus } from "./accessibility.js";

/**
 * The one place where a string becomes markup: opencode_nb/render has escaped all of it.
 *
 * @param {string} html
 */
function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

/**
 * Remember which folds the user has opened or closed, for as long as the view lives.
 *
 * @param {HTMLElement} root
 * @param {AbortSignal} signal
 * @returns {(fragment: DocumentFragment) => void} sets the folds in new nodes the same way
 */
export function createFolds(root, signal) {
  /** @type {Map<string, boolean>} */
  const chosen = new Map();
  root.addEventListener("click", (event) => {
    const details = /** @type {HTMLElement} */ (event.target).closest("summary")?.parentElement;
    if (details instanceof HTMLDetailsElement && details.dataset.fold) chosen.set(details.dataset.fold, !details.open);
  }, { signal });
  return (fragment) => {
    for (const details of fragment.querySelectorAll("details")) {
      if (details.dataset.fold) details.open = chosen.get(details.dataset.fold) ?? details.open;
    }
  };
}

/**
 * Patch the nodes below `root` by key; `prepare` gets each fragment before it is shown.
 *
 * @param {HTMLElement} root
 * @param {(fragment: DocumentFragment) => void} [prepare]
 */
export function createPage(root, prepare = () => {}) {
  /** @type {Map<string | undefined, HTMLElement>} */
  const nodes = new Map([["root", root]]);
  /** @type {Map<string | undefined, string>} */
  const sources = new Map(); // key -> the markup that the last splice made

  /** @param {HTMLElement} parent */
  const forget = (parent) => {
    for (const node of queryAll(parent, "[data-key]")) {
      nodes.delete(node.dataset.key);
      sources.delete(node.dataset.key);
    }
  };
  /** @param {string} html */
  const learn = (html) => {
    const fragment = parse(html);
    prepare(fragment);
    for (const node of queryAll(fragment, "[data-key]")) nodes.set(node.dataset.key, node);
    return fragment;
  };
  /**
   * @param {HTMLElement} node
   * @param {string} html
   */
  const fill = (node, html) => {
    forget(node);
    node.replaceChildren(learn(html));
  };

  /** @type {Record<string, (...args: any[]) => void>} */
  const operations = {
    put(key, parent, html, before) {
      const old = nodes.get(key);
      if (old) {
        forget(old);
        sources.delete(key);
        old.replaceWith(learn(html));
        return;
      }
      const home = nodes.get(parent);
      const next = nodes.get(before);
      home?.insertBefore(learn(html), next && next.parentNode === home ? next : null);
    },
    text(key, string) {
      nodes.get(key)?.append(string);
    },
    splice(key, keep, html) {
      const node = nodes.get(key);
      if (!node) return;
      const source = (sources.get(key) ?? "").slice(0, keep) + html;
      fill(node, source);
      sources.set(key, source);
    },
    drop(key) {
      const node = nodes.get(key);
      if (!node) return;
      forget(node);
      nodes.delete(key);
      sources.delete(key);
      node.remove();
    },
  };

  return {
    /** @param {Op[]} ops */
    patch: (ops) => keepFocus(root, () => {
      for (const [name, ...rest] of ops) operations[name]?.(...rest);
    }),
    /** @param {string} html */
    reset: (html) => keepFocus(root, () => fill(root, html)),
  };
}

/** @typedef {ReturnType<typeof createPage>} Page */
