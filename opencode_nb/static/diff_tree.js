// The tree of files: filter, folds, and the arrow keys as in every tree (ARIA's practices).

export function createFileTree(root, walk, signal) {
  let words = [];
  let active = "0"; // index of the file that is looked at
  const folded = new Set();

  const tree = () => root.querySelector('[role="tree"]');
  const items = () => [...tree().querySelectorAll('[role="treeitem"]')];
  const shown = () => items().filter((item) => item.checkVisibility());
  const fileOf = (index) => root.querySelector(`.oc-section[data-index="${index}"]`);

  function applyFilter() {
    for (const leaf of tree().querySelectorAll("[data-goto]")) {
      const path = leaf.title.toLowerCase();
      const fits = words.every((word) => path.includes(word));
      leaf.hidden = !fits;
      fileOf(leaf.dataset.goto).hidden = !fits;
    }
    for (const folder of tree().querySelectorAll("[aria-expanded]")) {
      folder.hidden = !folder.querySelector("[data-goto]:not([hidden])");
    }
  }

  function refresh() {
    if (!tree()) return;
    applyFilter();
    for (const item of items()) {
      if (item.ariaExpanded) item.ariaExpanded = String(words.length > 0 || !folded.has(item.ariaLabel));
      if (item.dataset.goto) item.ariaSelected = String(item.dataset.goto === active);
    }
    rove(tree().querySelector(`[data-goto="${active}"]:not([hidden])`) ?? shown()[0]);
  }

  /** One item takes part in the order of Tab; the arrow keys do the rest. */
  function rove(item) {
    for (const other of tree().querySelectorAll('[tabindex="0"]')) other.tabIndex = -1;
    if (item) item.tabIndex = 0;
  }

  function fold(item, away) {
    if (away) folded.add(item.ariaLabel);
    else folded.delete(item.ariaLabel);
    item.ariaExpanded = String(!away);
  }

  function press(item) {
    if (item.dataset.goto) walk.goTo(fileOf(item.dataset.goto));
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
    refresh();
  }, { signal });
  root.addEventListener("focusin", ({ target }) => {
    const section = target.closest(".oc-section");
    if (!section || section.dataset.index === active) return;
    active = section.dataset.index;
    refresh();
  }, { signal });
  return { refresh };
}
