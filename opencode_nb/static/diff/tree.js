// The tree of files: filter, folds, and the arrow keys as in every tree (ARIA's practices).

export function createFileTree(root, walk, signal) {
  let words = [];
  let active = ""; // index of the file that is looked at
  const folded = new Set(); // paths of directories
  let known = null; // the tree that was prepared
  let sections = new Map(); // index -> the file's place among the changes

  const tree = () => root.querySelector('[role="tree"]');
  const leafOf = (index) => tree().querySelector(`[data-goto="${index}"]`);
  const shown = () => [...tree().querySelectorAll('[role="treeitem"]')].filter((item) => item.checkVisibility());

  function applyFilter() {
    for (const leaf of tree().querySelectorAll("[data-goto]")) filterLeaf(leaf);
    for (const folder of tree().querySelectorAll("[aria-expanded]")) {
      folder.hidden = !folder.querySelector("[data-goto]:not([hidden])");
      folder.ariaExpanded = String(words.length > 0 || !folded.has(folder.title));
    }
    const here = leafOf(active);
    rove(here && !here.hidden ? here : shown()[0]);
  }

  function filterLeaf(leaf) {
    const path = leaf.title.toLowerCase();
    leaf.hidden = !words.every((word) => path.includes(word));
    sections.get(leaf.dataset.goto).hidden = leaf.hidden;
  }

  /** After something was drawn: a whole new tree, or a few of its files. */
  function refresh() {
    const found = tree();
    if (!found) return;
    const isNew = found !== known;
    if (isNew) {
      known = found;
      sections = new Map([...root.querySelectorAll(".oc-section")].map((node) => [node.dataset.index, node]));
      active = found.querySelector("[data-goto]").dataset.goto;
    }
    for (const leaf of found.querySelectorAll("[data-goto]:not([aria-selected])")) {
      if (words.length) filterLeaf(leaf);
      leaf.ariaSelected = String(leaf.dataset.goto === active);
      if (leaf.dataset.goto === active) rove(leaf);
    }
    if (isNew && (words.length || folded.size)) applyFilter();
  }

  function select(index) {
    leafOf(active).ariaSelected = "false";
    active = index;
    const leaf = leafOf(active);
    leaf.ariaSelected = "true";
    if (!leaf.hidden) rove(leaf);
  }

  /** One item takes part in the order of Tab; the arrow keys do the rest. */
  function rove(item) {
    for (const other of tree().querySelectorAll('[tabindex="0"]')) other.tabIndex = -1;
    if (item) item.tabIndex = 0;
  }

  function fold(item, away) {
    if (away) folded.add(item.title);
    else folded.delete(item.title);
    item.ariaExpanded = String(!away);
  }

  function press(item) {
    if (item.dataset.goto) walk.goTo(sections.get(item.dataset.goto));
    else fold(item, item.ariaExpanded === "true");
  }

  function move(item, key) {
    const visible = shown();
    const at = visible.indexOf(item);
    const isOpen = item.ariaExpanded === "true";
    if (key === "ArrowLeft" && isOpen) return fold(item, true);
    if (key === "ArrowRight" && item.ariaExpanded === "false") return fold(item, false);
    const target = {
      ArrowDown: visible[at + 1],
      ArrowUp: visible[at - 1],
      Home: visible[0],
      End: visible.at(-1),
      ArrowLeft: item.parentElement.closest('[role="treeitem"]'),
      ArrowRight: isOpen ? visible[at + 1] : null,
    }[key];
    if (!target) return undefined;
    rove(target);
    target.focus();
    return undefined;
  }

  root.addEventListener("click", ({ target }) => {
    const item = target.closest(".oc-item")?.closest('[role="treeitem"]');
    if (item) press(item);
  }, { signal });
  root.addEventListener("keydown", (event) => {
    const item = event.target.closest('[role="treeitem"]');
    if (!item || event.target !== item || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter" || event.key === " ") press(item);
    else if (/^(Arrow|Home|End)/.test(event.key)) move(item, event.key);
    else return;
    event.preventDefault();
  }, { signal });
  root.addEventListener("input", ({ target }) => {
    if (!target.matches(".oc-filter")) return;
    words = target.value.toLowerCase().split(/\s+/).filter(Boolean);
    applyFilter();
  }, { signal });
  root.addEventListener("focusin", ({ target }) => {
    const section = target.closest(".oc-section");
    if (section && section.dataset.index !== active) select(section.dataset.index);
  }, { signal });
  return { refresh };
}
