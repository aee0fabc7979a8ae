// Keep the clocks of a view running.

import { queryAll } from "./dom.js";

const TICK_MS = 1000;
const QUICK_MS = 1000; // what ends sooner shows no clock: it would only flicker

/**
 * Write a span of time for people.
 *
 * @param {number} ms
 */
export function clock(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/**
 * Update the clocks in `scope`: the time since, or until, a time in ms of the epoch.
 *
 * @param {HTMLElement | DocumentFragment} scope
 */
export function tick(scope) {
  const now = Date.now();
  for (const node of queryAll(scope, "[data-since]")) {
    const passed = now - Number(node.dataset.since);
    node.textContent = passed < QUICK_MS ? "" : clock(passed);
  }
  for (const node of queryAll(scope, "[data-until]")) node.textContent = clock(Number(node.dataset.until) - now);
}

/**
 * Update the clocks below `root` every second, while they run.
 *
 * @param {HTMLElement} root
 * @param {AbortSignal} signal
 * @param {() => boolean} isRunning
 */
export function keepTicking(root, signal, isRunning) {
  const ticker = setInterval(() => { if (isRunning()) tick(root); }, TICK_MS);
  signal.addEventListener("abort", () => clearInterval(ticker));
}
