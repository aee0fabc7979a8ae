// Listen to anywidget's model for as long as a view lives.

/** @import { Model } from "./types.js" */

/**
 * Listen to the model until `signal` aborts.
 *
 * @param {Model} model
 * @param {AbortSignal} signal
 * @param {string} event
 * @param {(content: any) => void} listener
 */
export function on(model, signal, event, listener) {
  model.on(event, listener);
  signal.addEventListener("abort", () => model.off(event, listener));
}

/**
 * Make an AbortController that ends with the view: on anywidget's own signal, or by the cleanup that `render` returns.
 *
 * @param {AbortSignal} [signal]
 */
export function lifetime(signal) {
  const view = new AbortController();
  signal?.addEventListener("abort", () => view.abort(), { once: true, signal: view.signal });
  return view;
}
