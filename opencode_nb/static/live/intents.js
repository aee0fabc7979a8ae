// Send what the user does in the markup that Python has rendered: clicks and answers.

/** @import { Intent } from "../core/types.js" */

import { answersIn, answersOf } from "./asking.js";
import { closest, targetOf } from "../core/dom.js";

/**
 * Send clicks on `data-intent` with the element's other data, and forms with their answers.
 *
 * @param {HTMLElement} root
 * @param {(message: Intent) => void} send
 * @param {AbortSignal} signal
 */
export function listenForIntents(root, send, signal) {
  root.addEventListener("click", (event) => {
    const target = closest(targetOf(event), "[data-intent]:not(form)");
    if (!target) return;
    event.preventDefault();
    const { intent = "", key: _key, lmSuppressShortcuts: _shortcuts, ...rest } = target.dataset;
    send({ ...rest, kind: intent });
  }, { signal });
  root.addEventListener("submit", (event) => {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    const { intent, id, reply } = form.dataset;
    if (intent) send({ kind: intent, id, ...(reply && { reply }), answers: answersOf(form) });
  }, { signal });
}

/**
 * Send a form on Enter if all its questions are answered; else focus the first that is not.
 *
 * @param {HTMLElement} root
 * @param {AbortSignal} signal
 */
export function submitByEnter(root, signal) {
  root.addEventListener("keydown", (event) => {
    const field = /** @type {HTMLInputElement} */ (event.target);
    if (event.key !== "Enter" || event.isComposing || !field.matches('input[type="text"]')) return;
    event.preventDefault();
    const here = field.closest("fieldset");
    const open = [...field.form?.querySelectorAll("fieldset") ?? []]
      .find((box) => box !== here && !answersIn(box).length);
    if (open) open.querySelector("input")?.focus();
    else field.form?.requestSubmit();
  }, { signal });
}
