// The view of a diff. Python renders and acts; this file loads the files that come into sight, and moves the focus
// through them.

/** @import { View } from "../core/types.js" */

import { UNSEEN } from "../live/accessibility.js";
import { closest, make, query, queryAll, targetOf } from "../core/dom.js";
import { watchView } from "../core/kernel.js";
import { live } from "../live/live.js";
import { lifetime } from "../core/model.js";
import { createSender } from "../live/protocol.js";
import { initializeSaved, keepOutput } from "../live/saved_output.js";
import { createBodies } from "./bodies.js";
import { createDraft } from "./comments.js";
import { createCopier, linkFiles } from "./links.js";
import { createFileTree } from "./tree.js";
import { createWalk } from "./walk.js";

const ACTS = '[data-intent="act"], [data-intent="history"]';
const DIFF_ROOT = {
  class: "opencode-nb", "data-view": "diff", "data-key": "root",
  role: "region", "aria-label": "Changes", tabindex: "-1", style: "outline:none",
};

/**
 * Allow one act at a time: from a click until Python has said what came of it, disable the others.
 *
 * @param {HTMLElement} root
 * @param {AbortSignal} signal
 * @returns {(busy: boolean) => void}
 */
function createBusy(root, signal) {
  /** @type {Set<HTMLElement>} */
  const held = new Set(); // buttons that are disabled meanwhile
  /** @param {boolean} busy */
  const setBusy = (busy) => {
    root.ariaBusy = String(busy);
    for (const act of busy ? queryAll(root, ACTS) : held) {
      if (busy && act.ariaDisabled !== "true") held.add(act);
      if (held.has(act)) act.ariaDisabled = busy ? "true" : null;
    }
    if (!busy) held.clear();
  };
  root.addEventListener("click", (event) => {
    const act = closest(targetOf(event), ACTS);
    if (!act) return;
    if (act.ariaDisabled === "true") event.stopImmediatePropagation();
    else setBusy(true);
  }, { signal });
  return setBusy;
}

/**
 * Wrap or scroll long lines. Python draws the button again without knowing which.
 *
 * @param {HTMLElement} root
 * @param {AbortSignal} signal
 * @returns {() => void} call it after something was drawn
 */
function createWrap(root, signal) {
  let wraps = true;
  const show = () => {
    root.classList.toggle("oc-scrolls", !wraps);
    const button = query(root, '[data-local="wrap"]');
    if (button) button.ariaPressed = String(wraps);
  };
  root.addEventListener("click", (event) => {
    if (!targetOf(event).closest('[data-local="wrap"]')) return;
    wraps = !wraps;
    show();
  }, { signal });
  return show;
}

/** @param {View} view */
function renderDiff({ model, el, signal: ended }) {
  const view = lifetime(ended);
  const { signal } = view;
  const root = make("div", DIFF_ROOT);
  const region = make("div", { "aria-live": "assertive", style: UNSEEN });
  el.append(root, region);
  /** @param {string} text */
  const say = (text) => {
    const said = query(root, '[data-key="said"]');
    if (said) said.textContent = text;
  };
  const setBusy = createBusy(root, signal); // before the intents are listened for
  const kernel = watchView({ model, root, signal, changed: () => setBusy(false) });
  const send = createSender(model, kernel.ended);

  const bodies = createBodies(root, send, signal);
  const walk = createWalk(root, bodies, signal);
  const tree = createFileTree(root, walk, signal);
  const draft = createDraft(root, walk, send, signal);
  const copier = createCopier(root, say, signal);
  const showWrap = createWrap(root, signal);
  const refresh = () => {
    showWrap();
    linkFiles(root);
    tree.refresh();
    bodies.refresh();
    draft.refresh();
    walk.refresh();
  };
  live({
    model, root, region, signal, kernel,
    listeners: {
      "change:snapshot": () => { setBusy(false); refresh(); },
      "msg:custom": (content) => {
        copier.receive(content);
        if (content.ops?.some((/** @type {string[]} */ [, key]) => key === "said")) setBusy(false);
        if (content.ops) refresh();
      },
    },
  });
  refresh();
  keepOutput(model, signal);
  return () => view.abort();
}

export default { initialize: initializeSaved, render: renderDiff };
