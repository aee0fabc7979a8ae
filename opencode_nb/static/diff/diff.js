// The view of a diff. Python renders and acts; this file asks for the files that come into sight, and moves a person
// through them.

import { UNSEEN, createElement, lifetime, live } from "../core/view.js";
import { createBodies } from "./bodies.js";
import { createDraft } from "./comments.js";
import { createCopier, linkFiles } from "./links.js";
import { createFileTree } from "./tree.js";
import { createWalk } from "./walk.js";
import { noteNotebook } from "../core/jupyter.js";

const KERNEL_GONE = "The kernel has been restarted, and this view is no longer in it. Run the cell again: nothing is lost.";
const ACTS = '[data-intent="act"], [data-intent="history"]';
const DIFF_ROOT = {
  class: "opencode-nb", "data-view": "diff", "data-key": "root",
  role: "region", "aria-label": "Changes", tabindex: "-1", style: "outline:none",
};

/** One act at a time: from a click until Python has said what came of it, no other can be begun. */
function createBusy(root, signal) {
  const held = new Set(); // buttons that are disabled meanwhile
  root.addEventListener("click", (event) => {
    const act = event.target.closest(ACTS);
    if (!act) return;
    if (act.ariaDisabled === "true") event.stopImmediatePropagation();
    else setBusy(true);
  }, { signal });
  function setBusy(busy) {
    root.ariaBusy = String(busy);
    for (const act of busy ? root.querySelectorAll(ACTS) : held) {
      if (busy && act.ariaDisabled !== "true") held.add(act);
      if (held.has(act)) act.ariaDisabled = busy ? "true" : null;
    }
    if (!busy) held.clear();
  }
  return setBusy;
}

/** Whether long lines are broken or scrolled. The button is drawn anew by Python, which does not know. */
function createWrap(root, signal) {
  let wraps = true;
  const show = () => {
    root.classList.toggle("oc-scrolls", !wraps);
    const button = root.querySelector('[data-local="wrap"]');
    if (button) button.ariaPressed = String(wraps);
  };
  root.addEventListener("click", ({ target }) => {
    if (!target.closest('[data-local="wrap"]')) return;
    wraps = !wraps;
    show();
  }, { signal });
  return show;
}

function renderDiff({ model, el, signal }) {
  const view = lifetime(signal);
  const root = createElement(el, DIFF_ROOT);
  const region = createElement(el, { "aria-live": "assertive", style: UNSEEN });
  const say = (text) => { root.querySelector('[data-key="said"]').textContent = text; };
  const lost = () => { setBusy(false); say(KERNEL_GONE); };
  const send = (message) => {
    try {
      model.send(message);
    } catch { // the widget manager has no comm to send by any more
      lost();
    }
  };

  noteNotebook(root, model, view.signal);
  const setBusy = createBusy(root, view.signal); // before the intents are listened for
  const bodies = createBodies(root, send, view.signal);
  const walk = createWalk(root, bodies, view.signal);
  const tree = createFileTree(root, walk, view.signal);
  const draft = createDraft(root, walk, send, view.signal);
  const copier = createCopier(root, say, view.signal);
  const showWrap = createWrap(root, view.signal);
  const refresh = () => {
    showWrap();
    linkFiles(root);
    tree.refresh();
    bodies.refresh();
    draft.refresh();
    walk.refresh();
  };
  live({
    model, root, region, signal: view.signal, lost,
    listeners: {
      "change:snapshot": () => { setBusy(false); refresh(); },
      "msg:custom": (content) => {
        copier.receive(content);
        if (content.ops?.some(([, key]) => key === "said")) setBusy(false);
        if (content.ops) refresh();
      },
    },
  });
  refresh();
  return () => view.abort();
}

export default { render: renderDiff };
