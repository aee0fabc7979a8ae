// Comments on lines: a button on the line under the pointer, the key `c`, and a form below the line.

/** @import { Intent } from "../core/types.js" */
/** @import { Walk } from "./walk.js" */

import { closest, make, query, targetOf } from "../core/dom.js";

const CHANGED = ".oc-added[data-at], .oc-removed[data-at]";

/** @typedef {{ index: string, at: string }} LinePlace a file's index and its line: "n12" is new, "o12" was removed */

/**
 * Name a line for a screen reader.
 *
 * @param {string} at
 */
export function lineName(at) {
  return `${at.startsWith("o") ? "removed line" : "line"} ${at.slice(1)}`;
}

/**
 * Make the form of the comment that is being written. It stays when the lines around it are drawn again.
 *
 * @param {HTMLElement} root
 * @param {Pick<Walk, "focus">} walk
 * @param {(message: Intent) => void} send
 * @param {AbortSignal} signal
 */
export function createDraft(root, walk, send, signal) {
  const add = make("button", { type: "button", class: "oc-add", "aria-label": "Comment on this line" });
  /** @type {{ form: HTMLElement, text: HTMLTextAreaElement, place: LinePlace } | null} */
  let draft = null;

  const canComment = () => query(root, ".oc-files")?.dataset.commenting === "true";
  /** @param {LinePlace} place */
  const rowOf = ({ index, at }) => query(root, `.oc-section[data-index="${index}"] [data-at="${at}"]`);
  /**
   * @param {HTMLElement} form
   * @param {HTMLElement} row
   */
  const put = (form, row) => (closest(row, ".oc-pair") ?? row).after(form);

  function close() {
    const row = draft && rowOf(draft.place);
    draft?.form.remove();
    draft = null;
    if (row) walk.focus(row);
  }

  function submit() {
    if (!draft) return;
    const text = draft.text.value.trim();
    if (text) send({ kind: "comment", id: draft.place.index, at: draft.place.at, text });
    close();
  }

  /** @param {HTMLElement} row */
  function open(row) {
    draft?.form.remove();
    const { index = "", file = "" } = closest(row, ".oc-section")?.dataset ?? {};
    const { at = "" } = row.dataset;
    const text = make("textarea", { rows: "3", "aria-label": `Comment on ${lineName(at)} of ${file}` });
    const form = make("div", { class: "oc-draft" }, text,
      make("button", { type: "button", class: "oc-button", onclick: submit }, "Add comment"),
      make("button", { type: "button", class: "oc-button", onclick: close }, "Cancel"));
    draft = { form, text, place: { index, at } };
    put(form, row);
    text.focus();
  }

  root.addEventListener("mouseover", (event) => {
    const row = closest(targetOf(event), "[data-at]");
    if (row && canComment() && add.parentElement !== row) row.append(add);
  }, { signal });
  add.addEventListener("click", () => {
    if (add.parentElement) open(add.parentElement);
  }, { signal });
  root.addEventListener("keydown", (event) => {
    const target = targetOf(event);
    const plain = !(event.ctrlKey || event.metaKey || event.altKey);
    if (target === draft?.text) {
      if (event.key === "Escape") close();
      else if (event.key === "Enter" && !plain) submit();
    } else if (event.key === "c" && plain && canComment() && !target.matches("input, textarea")) {
      const change = closest(target, ".oc-change");
      const row = closest(target, "[data-at]") ?? (change && query(change, CHANGED));
      if (!row) return;
      event.preventDefault();
      open(row);
    }
  }, { signal });

  /** Put the form back after its line was drawn again. */
  function refresh() {
    if (!draft || draft.form.isConnected) return;
    const row = rowOf(draft.place);
    if (!row) return;
    put(draft.form, row);
    draft.text.focus({ preventScroll: true });
  }
  return { refresh };
}
