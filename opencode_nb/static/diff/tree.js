// The tree of files: filter, folds, and keys as in every tree (ARIA Authoring Practices).

/** @import { Walk } from "./walk.js" */

import { closest, query, queryAll, targetOf } from "../core/dom.js";

/**
 * Split a filter into words.
 *
 * @param {string} filter
 */
export function wordsIn(filter) {
  return filter.toLowerCase().split(/\s+/).filter(Boolean);
}

/**
 * Whether a path has all these words.
 *
 * @param {string} path
 * @param {string[]} words
 */
export function hasWords(path, words) {
  const lower = path.toLowerCase();
  return words.every((word) => lower.includes(word));
}

/**
 * Find what a key does to an item of a tree.
 *
 * @param {string} key
 * @param {HTMLElement} item
 * @param {HTMLElement[]} visible all items that are visible
 * @returns {boolean | HTMLElement | null} whether to fold the item, or the item to focus, or null for nothing
 */
export function treeMove(key, item, visible) {
  const at = visible.indexOf(item);
  const isOpen = item.ariaExpanded === "true";
  if (key === "ArrowLeft" && isOpen) return true;
  if (key === "ArrowRight" && item.ariaExpanded === "false") return false;
  /** @type {Record<string, HTMLElement | null | undefined>} */
  const targets = {
    ArrowDown: visible[at + 1],
    ArrowUp: visible[at - 1],
    Home: visible[0],
    End: visible.at(-1),
    ArrowLeft: item.parentElement && closest(item.parentElement, '[role="treeitem"]'),
    ArrowRight: isOpen ? visible[at + 1] : null,
  };
  return targets[key] ?? null;
}

/**
 * Find the tree below `root` and its items. Python may draw them again at any time.
 *
 * @param {HTMLElement} root
 */
function createItems(root) {
  const tree = () => query(root, '[role="tree"]');
  /** @param {string} selector */
  const all = (selector) => {
    const found = tree();
    return found ? queryAll(found, selector) : [];
  };
  return {
    tree,
    all,
    visible: () => all('[role="treeitem"]').filter((item) => item.checkVisibility()),
    /**
     * Make one item the one that Tab reaches; the arrow keys reach the others.
     *
     * @param {HTMLElement | undefined} item
     */
    rove(item) {
      for (const other of all('[tabindex="0"]')) other.tabIndex = -1;
      if (item) item.tabIndex = 0;
    },
  };
}

/** Remember which directories are folded, by their paths. */
function createFolders() {
  /** @type {Set<string>} */
  const folded = new Set();
  return {
    get some() { return folded.size > 0; },
    /** @param {HTMLElement} item */
    isFolded: (item) => folded.has(item.title),
    /**
     * @param {HTMLElement} item
     * @param {boolean} away
     */
    fold(item, away) {
      if (away) folded.add(item.title);
      else folded.delete(item.title);
      item.ariaExpanded = String(!away);
    },
  };
}

/**
 * Make the tree of files work.
 *
 * @param {HTMLElement} root
 * @param {Pick<Walk, "goTo">} walk
 * @param {AbortSignal} signal
 */
export function createFileTree(root, walk, signal) {
  /** @type {string[]} */
  let words = [];
  /** @type {string | undefined} */
  let active = ""; // index of the file that has the focus
  /** @type {HTMLElement | null} */
  let known = null; // the tree that was prepared
  /** @type {Map<string | undefined, HTMLDetailsElement>} */
  let sections = new Map(); // index -> the file among the changes

  const items = createItems(root);
  const folders = createFolders();
  const activeLeaf = () => items.all(`[data-goto="${active}"]`)[0];

  function applyFilter() {
    for (const leaf of items.all("[data-goto]")) filterLeaf(leaf);
    for (const folder of items.all("[aria-expanded]")) {
      folder.hidden = !folder.querySelector("[data-goto]:not([hidden])");
      folder.ariaExpanded = String(words.length > 0 || !folders.isFolded(folder));
    }
    const here = activeLeaf();
    items.rove(here && !here.hidden ? here : items.visible()[0]);
  }

  /** @param {HTMLElement} leaf */
  function filterLeaf(leaf) {
    leaf.hidden = !hasWords(leaf.title, words);
    const section = sections.get(leaf.dataset.goto);
    if (section) section.hidden = leaf.hidden;
  }

  /** Take in what was drawn: a whole new tree, or a few of its files. */
  function refresh() {
    const found = items.tree();
    if (!found) return;
    const isNew = found !== known;
    if (isNew) {
      known = found;
      const every = /** @type {HTMLDetailsElement[]} */ (queryAll(root, ".oc-section"));
      sections = new Map(every.map((node) => [node.dataset.index, node]));
      active = query(found, "[data-goto]")?.dataset.goto;
    }
    for (const leaf of queryAll(found, "[data-goto]:not([aria-selected])")) {
      if (words.length) filterLeaf(leaf);
      leaf.ariaSelected = String(leaf.dataset.goto === active);
      if (leaf.dataset.goto === active) items.rove(leaf);
    }
    if (isNew && (words.length || folders.some)) applyFilter();
  }

  /** @param {string | undefined} index */
  function select(index) {
    const before = activeLeaf();
    if (before) before.ariaSelected = "false";
    active = index;
    const leaf = activeLeaf();
    if (!leaf) return;
    leaf.ariaSelected = "true";
    if (!leaf.hidden) items.rove(leaf);
  }

  /** @param {HTMLElement} item */
  function press(item) {
    const section = sections.get(item.dataset.goto);
    if (section) walk.goTo(section);
    else if (!item.dataset.goto) folders.fold(item, item.ariaExpanded === "true");
  }

  /**
   * @param {HTMLElement} item
   * @param {string} key
   */
  function move(item, key) {
    const target = treeMove(key, item, items.visible());
    if (typeof target === "boolean") return folders.fold(item, target);
    if (!target) return undefined;
    items.rove(target);
    return target.focus();
  }

  listenToTree(root, signal, {
    press,
    move,
    filter(text) {
      words = wordsIn(text);
      applyFilter();
    },
    enter(index) {
      if (index !== active) select(index);
    },
  });
  return { refresh };
}

/**
 * Tell what the user does in the tree, its filter and the files.
 *
 * @param {HTMLElement} root
 * @param {AbortSignal} signal
 * @param {object} tree
 * @param {(item: HTMLElement) => void} tree.press
 * @param {(item: HTMLElement, key: string) => void} tree.move
 * @param {(text: string) => void} tree.filter
 * @param {(index: string | undefined) => void} tree.enter
 */
function listenToTree(root, signal, { press, move, filter, enter }) {
  root.addEventListener("click", (event) => {
    const item = targetOf(event).closest(".oc-item")?.closest('[role="treeitem"]');
    if (item) press(/** @type {HTMLElement} */ (item));
  }, { signal });
  root.addEventListener("keydown", (event) => {
    const target = targetOf(event);
    const item = closest(target, '[role="treeitem"]');
    if (!item || target !== item || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter" || event.key === " ") press(item);
    else if (/^(Arrow|Home|End)/.test(event.key)) move(item, event.key);
    else return;
    event.preventDefault();
  }, { signal });
  root.addEventListener("input", (event) => {
    const field = targetOf(event);
    if (field.matches(".oc-filter")) filter(/** @type {HTMLInputElement} */ (field).value);
  }, { signal });
  root.addEventListener("focusin", (event) => {
    const section = closest(targetOf(event), ".oc-section");
    if (section) enter(section.dataset.index);
  }, { signal });
}
