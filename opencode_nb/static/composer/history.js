// Browse earlier messages in the message field.

import { isComposing } from "../core/dom.js";

/**
 * Show earlier messages on Up at the field's beginning or in its only row, and later ones on Down at its end. After the
 * last comes what was being written.
 *
 * @param {Pick<HTMLTextAreaElement, "value" | "selectionStart" | "selectionEnd">} field
 * @param {() => string[]} earlier the messages, oldest first
 * @param {(text: string) => void} write
 * @param {() => boolean} isOneRow whether the text stands in one row, where Up has no other use
 */
export function createHistory(field, earlier, write, isOneRow) {
  let position = 0; // how many messages back
  let own = "";
  /** @param {number} step */
  const go = (step) => {
    const messages = earlier();
    const next = Math.min(Math.max(position + step, 0), messages.length);
    if (next === position) return false;
    if (position === 0) own = field.value;
    position = next;
    write(position ? messages.at(-position) ?? "" : own);
    return true;
  };
  return {
    /** Keep what is in the field: the user has changed or sent it. */
    reset() { position = 0; },
    /** Go back to what was being written. */
    leave() { go(-position); },
    /**
     * Handle a key of the field; return whether it was meant for the history.
     *
     * @param {KeyboardEvent} event
     */
    key(event) {
      if (event.shiftKey || event.altKey || event.ctrlKey || event.metaKey || isComposing(event)) return false;
      const { selectionStart, selectionEnd, value } = field;
      if (event.key === "ArrowUp" && (selectionEnd === 0 || (selectionStart === selectionEnd && isOneRow()))) return go(1);
      if (event.key === "ArrowDown" && position && selectionStart === value.length) return go(-1);
      return false;
    },
  };
}
