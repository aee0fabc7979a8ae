// The text of the message field: each session's draft, earlier messages, and text that comes back.

import { createDrafts, joinDrafts } from "./drafts.js";
import { createHistory } from "./history.js";

/**
 * Whether the text of a field stands in one row.
 *
 * @param {HTMLTextAreaElement} field
 */
function isOneRow(field) {
  return field.scrollHeight < 2 * parseFloat(getComputedStyle(field).lineHeight); // the padding is less than a row
}

/**
 * Keep the text of a message field.
 *
 * @param {object} options
 * @param {HTMLTextAreaElement} options.field
 * @param {() => string[]} options.earlier the texts of earlier messages, oldest first
 * @param {() => void} options.changed
 * @param {() => boolean} options.hasFiles
 */
export function createMessageText({ field, earlier, changed, hasFiles }) {
  const drafts = createDrafts();
  let session = "";
  let undone = ""; // the text of the first undone message, which the user may want to write again

  const keep = () => {
    changed();
    drafts.set(session, field.value);
  };
  /** @param {string} text */
  const write = (text) => {
    field.value = text;
    keep();
  };
  const history = createHistory(field, earlier, (text) => {
    write(text);
    field.setSelectionRange(text.length, text.length);
  }, () => isOneRow(field));

  return {
    key: history.key,
    get session() { return session; },
    /** The user has typed. */
    typed() {
      history.reset();
      keep();
    },
    /**
     * Empty the field, because its text is sent.
     *
     * @returns {() => void} call it when the message has arrived or failed
     */
    send() {
      const written = field.value;
      history.reset();
      write("");
      return drafts.leaves(session, written);
    },
    /**
     * Put back what could not be sent, beside what was written meanwhile; the cursor stays in that.
     *
     * @param {string} id the session
     * @param {string} text
     */
    giveBack(id, text) {
      if (id !== session) return drafts.set(id, joinDrafts(text, drafts.get(id)));
      history.leave();
      const { value: written, selectionStart: start, selectionEnd: end } = field;
      const all = joinDrafts(text, written);
      const moved = all.length - written.length;
      write(all);
      if (all.endsWith(written)) field.setSelectionRange(start + moved, end + moved);
      else field.setSelectionRange(start, end);
      return undefined;
    },
    /**
     * Show another session's draft.
     *
     * @param {string} id
     * @param {string} offered the text of its first undone message
     */
    open(id, offered) {
      history.leave();
      session = id;
      undone = offered;
      write(drafts.get(id));
    },
    /**
     * Offer an undone message where nothing else is written; take it away when the message comes back.
     *
     * @param {string} text
     */
    offer(text) {
      const free = (!field.value.trim() && !hasFiles()) || field.value === undone;
      if (text !== undone && free && text !== field.value) write(text);
      undone = text;
    },
  };
}
