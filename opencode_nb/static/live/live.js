// Everything that the live views share, put together.

/** @import { Intent, Model } from "../core/types.js" */
/** @import { Kernel } from "../core/kernel.js" */

import { createAnnouncer, keepKeys } from "./accessibility.js";
import { createAskingGuard } from "./asking.js";
import { serveCells } from "./cells.js";
import { keepTicking, tick } from "../core/clocks.js";
import { copyFormulas } from "../core/formulas.js";
import { listenForIntents, submitByEnter } from "./intents.js";
import { on } from "../core/model.js";
import { createPager } from "./pager.js";
import { createFolds, createPage } from "./patches.js";
import { createReceiver, createSender, sayHello } from "./protocol.js";

/**
 * Show the model's view in `root` until `signal` aborts: patches and snapshots in, hello and intents out.
 *
 * @param {object} view
 * @param {Model} view.model
 * @param {HTMLElement} view.root
 * @param {HTMLElement} view.region an assertive live region
 * @param {AbortSignal} view.signal
 * @param {Kernel} view.kernel
 * @param {Record<string, (content: any) => void>} [view.listeners] called after the page has taken a model's event in
 */
export function live({ model, root, region, signal, kernel, listeners = {} }) {
  const sender = createSender(model, kernel.ended);
  /** @param {Intent} message */
  const send = (message) => { if (kernel.connected) sender(message); };
  const applyFolds = createFolds(root, signal);
  const guard = createAskingGuard(root, signal);
  const page = createPage(root, (fragment) => {
    applyFolds(fragment);
    guard.prepare(fragment);
    tick(fragment);
  });
  const receiver = createReceiver(model, page, send);
  const announce = createAnnouncer(root, region);
  const pager = createPager(root, (change) => guard.around(change));
  listenForIntents(root, send, signal);
  keepKeys(root, signal);
  copyFormulas(root, signal);
  submitByEnter(root, signal);
  /** @param {() => void} change */
  const shown = (change) => guard.around(() => pager.around(change));
  /**
   * @param {string} event
   * @param {(content: any) => void} change
   */
  const onChange = (event, change) => on(model, signal, event, (content) => shown(() => change(content)));

  onChange("change:snapshot", () => { receiver.snapshot(); announce(); });
  onChange("msg:custom", (content) => { receiver.message(content); announce(); });
  for (const [event, listener] of Object.entries(listeners)) onChange(event, listener);
  shown(receiver.snapshot);
  announce();
  serveCells(model, root, send, signal);
  sayHello(send, signal);
  keepTicking(root, signal, () => kernel.connected);
}
