// Going through the changes by keys: from change to change, file to file, line to line.

import { isComposing } from "../core/dom.js";
import { saveNotebook } from "../core/jupyter.js";

const HEAD_PX = 40; // height of a file's line, which stays at the top of the pane

/** Moves the focus; where a file is not there yet, as soon as it is. */
export function createWalk(root, bodies, signal) {
  let awaited = null; // { section, last }: whose first or last change takes the focus when it has come
  let place = null; // what had the focus last, by name: it may be drawn anew

  const pane = () => root.querySelector(".oc-files");
  const sections = () => [...root.querySelectorAll(".oc-section:not([hidden])")];
  const headOf = (section) => section.querySelector("summary");

  /** Scrolls the pane, not the page, until `node` is well in sight. */
  function reveal(node, top = false) {
    const box = pane().getBoundingClientRect();
    const { top: y, height } = node.getBoundingClientRect();
    const above = y - box.top - HEAD_PX;
    if (top || above < 0) pane().scrollTop += top ? y - box.top : above;
    else if (y + Math.min(height, 120) > box.bottom) pane().scrollTop += above - box.height / 3;
  }

  function focus(node, top = false) {
    if (node.tabIndex < 0 && !node.hasAttribute("tabindex")) node.tabIndex = -1;
    node.focus({ preventScroll: true });
    reveal(node, top);
  }

  function goTo(section) {
    section.open = true;
    bodies.want(section);
    focus(headOf(section), true);
  }

  /** Where `n` and `p` stop: each change, and the line of a file that shows none (yet). */
  function stops() {
    return sections().flatMap((section) => {
      const hunks = section.open && bodies.isCurrent(section) ? [...section.querySelectorAll(".oc-change")] : [];
      return hunks.length ? hunks : [headOf(section)];
    });
  }

  function step(direction) {
    const from = root.getRootNode().activeElement ?? root;
    const isAhead = (node) => {
      if (!pane().contains(from)) return true;
      const relation = from.compareDocumentPosition(node);
      const follows = Boolean(relation & Node.DOCUMENT_POSITION_FOLLOWING);
      if (direction > 0) return follows;
      return Boolean(relation & Node.DOCUMENT_POSITION_PRECEDING) && !node.contains(from);
    };
    const ahead = stops().filter(isAhead);
    const target = direction > 0 ? ahead[0] : ahead.at(-1);
    if (!target) return;
    const section = target.closest(".oc-section");
    if (target.matches("summary") && section.open && !bodies.isCurrent(section)) {
      awaited = { section, last: direction < 0 };
      goTo(section);
    } else focus(target);
  }

  function stepFile(direction) {
    const every = sections();
    const here = root.getRootNode().activeElement?.closest(".oc-section");
    const target = every[(here ? every.indexOf(here) : direction > 0 ? -1 : every.length) + direction];
    if (target) goTo(target);
  }

  function stepLine(direction) {
    const node = root.getRootNode().activeElement;
    const hunk = node?.closest(".oc-change, [data-at]");
    if (!hunk) return false;
    const rows = [...node.closest(".oc-section").querySelectorAll("[data-at]")];
    const at = node.matches("[data-at]") ? rows.indexOf(node) + direction
      : rows.indexOf(node.closest(".oc-change").querySelector("[data-at]")) + (direction > 0 ? 0 : -1);
    if (rows[at]) focus(rows[at]);
    return true;
  }

  const keys = {
    n: () => step(1), j: () => step(1), p: () => step(-1), k: () => step(-1),
    "]": () => stepFile(1), "[": () => stepFile(-1),
    ArrowDown: () => stepLine(1), ArrowUp: () => stepLine(-1),
    "/": () => root.querySelector(".oc-filter")?.focus(),
    "?": () => root.querySelector(".oc-help > summary")?.click(),
  };

  root.addEventListener("keydown", (event) => {
    const { key, ctrlKey, metaKey, altKey, shiftKey, target } = event;
    if ((ctrlKey || metaKey) && !shiftKey && key === "s" && saveNotebook(root)) event.preventDefault();
    if (ctrlKey || metaKey || altKey || isComposing(event)) return;
    if (event.defaultPrevented || target.matches("input, textarea")) return;
    const step = keys[key];
    if (step && step() !== false) event.preventDefault();
  }, { signal });
  root.addEventListener("focusin", ({ target }) => {
    // Jupyter deletes cells by letters; it looks for this at what has the focus only.
    target.toggleAttribute("data-lm-suppress-shortcuts", true);
    if (target === root) return; // it has the focus when what had it is gone
    const { at, hunk, goto } = target.dataset;
    const index = target.closest(".oc-section")?.dataset.index;
    if (at) place = `.oc-section[data-index="${index}"] [data-at="${at}"]`;
    else place = hunk ? `[data-hunk="${hunk}"]` : goto ? `[data-goto="${goto}"]` : null;
    if (awaited && target !== headOf(awaited.section)) awaited = null;
  }, { signal });

  /** After something was drawn: the focus goes where it is awaited, or back to where it was. */
  function refresh() {
    if (awaited && bodies.isCurrent(awaited.section)) {
      const hunks = [...awaited.section.querySelectorAll(".oc-change")];
      const target = awaited.last ? hunks.at(-1) : hunks[0];
      awaited = null;
      if (target) focus(target);
    } else if (place && root.getRootNode().activeElement === root) {
      const target = root.querySelector(place);
      if (target?.closest(".oc-section")) focus(target);
      else target?.focus({ preventScroll: true });
    }
  }
  return { goTo, focus, refresh };
}
