// Notice at once when a view can no longer reach Python: its kernel was restarted or has ended, or its comm is gone.

/** @import { Model, Signal } from "./types.js" */

import { closest, make, query, queryAll } from "./dom.js";
import { contextOf, noteNotebook, runCell } from "./jupyter.js";
import { on } from "./model.js";

const ENDED = ["restarting", "autorestarting", "terminating", "dead"];
const LEFT = ".jupyter-widgets-disconnected"; // ipywidgets' own sign, on every view of a model without a comm
const INTENTS = "[data-intent]:not(form), [type=submit]";

/**
 * Follow JupyterLab's connection to the kernel, where there is one.
 *
 * @param {Model} model
 * @param {AbortSignal} signal
 * @param {{ ended: () => void, reachable: (reachable: boolean) => void }} tell
 */
async function followSession(model, signal, { ended, reachable }) {
  const session = (await contextOf(model))?.sessionContext;
  if (!session || signal.aborted) return;
  /**
   * @template T
   * @param {Signal<T>} emitter
   * @param {(value: T) => void} listener
   */
  const listen = (emitter, listener) => {
    /** @type {(sender: unknown, value: T) => void} */
    const slot = (_sender, value) => listener(value);
    emitter.connect(slot);
    signal.addEventListener("abort", () => emitter.disconnect(slot));
  };
  listen(session.statusChanged, (status) => { if (ENDED.includes(status)) ended(); });
  listen(session.connectionStatusChanged, (status) => { if (status !== "connecting") reachable(status === "connected"); });
  listen(session.kernelChanged, ({ oldValue, newValue }) => {
    if (oldValue && oldValue.id !== newValue?.id) ended();
  });
}

/**
 * Watch over the way to Python until `signal` aborts. A kernel that has ended is gone for good; a server that cannot be
 * reached may come back.
 *
 * @param {object} options
 * @param {Model} options.model
 * @param {HTMLElement} options.node in the view's element
 * @param {AbortSignal} options.signal
 * @param {(connected: boolean) => void} options.show called with each change
 */
export function watchKernel({ model, node, signal, show }) {
  let gone = false;
  let reached = true;
  let connected = true;
  const update = () => {
    const now = reached && !gone;
    if (now === connected || signal.aborted) return;
    connected = now;
    show(now);
  };
  const ended = () => {
    gone = true;
    update();
  };
  const look = () => { if (node.closest(LEFT)) ended(); };
  const lookSoon = () => Promise.resolve().then(look); // when ipywidgets has marked its views, and ours is made
  on(model, signal, "comm_live_update", lookSoon);
  lookSoon();
  followSession(model, signal, { ended, reachable(reachable) {
    reached = reachable;
    update();
  } });
  return {
    ended,
    get connected() { return connected; },
  };
}

/** @typedef {ReturnType<typeof watchKernel>} Kernel */

/**
 * Return what runs the cell around a view again; undefined where it cannot be run from here.
 *
 * @param {HTMLElement} view
 */
export function cellRunner(view) {
  const cell = closest(view, ".jp-Cell");
  const index = Number(cell?.dataset.windowedListIndex);
  return cell && Number.isInteger(index) ? () => runCell(view, index) : undefined;
}

/**
 * Make what disables the acts below a node while nothing can be sent. All else there can still be read and copied.
 *
 * @param {HTMLElement} root
 * @param {string} [acts] selects them
 * @returns {(connected: boolean) => void}
 */
export function createDisabler(root, acts = INTENTS) {
  /** @type {HTMLElement[]} */
  let held = []; // what was enabled
  return (connected) => {
    if (!connected) held = queryAll(root, acts).filter((act) => !act.hasAttribute("disabled"));
    for (const act of held) act.toggleAttribute("disabled", !connected);
  };
}

/**
 * Watch over the kernel of a view without a place for notices: a line above it says what to do.
 *
 * @param {object} options
 * @param {Model} options.model
 * @param {HTMLElement} options.root
 * @param {AbortSignal} options.signal
 * @param {() => void} [options.changed] called with each change
 * @returns {Kernel}
 */
export function watchView({ model, root, signal, changed = () => {} }) {
  const text = make("span", {}, "This view is disconnected. Rerun its cell.");
  const line = make("div", { class: "opencode-nb oc-disconnection", role: "alert", hidden: true }, text);
  const disable = createDisabler(root);
  root.before(line);
  noteNotebook(root, model, signal);
  return watchKernel({ model, node: root, signal, show(connected) {
    disable(connected);
    root.classList.toggle("oc-dead", !connected);
    const run = cellRunner(root);
    query(line, "button")?.remove();
    if (run) line.append(make("button", { type: "button", onclick: run }, "Rerun cell"));
    line.hidden = connected;
    changed();
  } });
}
