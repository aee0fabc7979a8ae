// Complete commands and mentions at the cursor of the message field.

/** @import { Client } from "../chat/client.js" */

import { isComposing } from "../core/dom.js";
import { createListbox } from "../menus/listbox.js";

const COMPLETE_AFTER_MS = 80;
const TOKENS = [
  /^\/\S*$/, // a command at the very beginning
  /(?<=^|[\s([{"'])@(?:[^\s@"][^\s@]*)?$/, // a mention
  /(?<=^|[\s([{])@"(?:[^\s"][^"\n]*)?(?:(?<=\/)"[^\s@"]*)?$/, // a mention with spaces, and what is in that folder
];

/**
 * Find the command or mention that ends at the cursor.
 *
 * @param {Pick<HTMLTextAreaElement, "value" | "selectionStart" | "selectionEnd">} field
 * @returns {string} "" where nothing can be completed
 */
export function tokenAt(field) {
  if (field.selectionStart !== field.selectionEnd || field.value.startsWith("!")) return "";
  const before = field.value.slice(0, field.selectionStart);
  return TOKENS.map((token) => token.exec(before)?.[0]).find(Boolean) ?? "";
}

/**
 * Suggest what the word at the cursor can become, while it is typed.
 *
 * @param {object} options
 * @param {HTMLTextAreaElement} options.field
 * @param {Client["ask"]} options.ask
 */
export function createCompletion({ field, ask }) {
  let timer = 0;
  let asked = 0;
  let token = "";
  const listbox = createListbox({
    field,
    label: "Suggestions",
    choose({ text }) {
      const end = field.selectionStart;
      const more = /\/"?$/.test(text) ? "" : " "; // after a folder, its contents come next
      field.setRangeText(text + more, end - token.length, end, "end");
      field.dispatchEvent(new Event("input"));
    },
  });
  const look = async () => {
    asked += 1;
    const serial = asked;
    const wanted = tokenAt(field);
    if (!wanted) return listbox.hide();
    const items = await ask("complete", { text: wanted }).catch(() => []); // only the suggestions are lost
    if (serial !== asked || tokenAt(field) !== wanted) return undefined;
    token = wanted;
    return listbox.show(items.map((item) => ({ ...item, label: item.text })));
  };
  const hide = () => {
    asked += 1;
    clearTimeout(timer);
    listbox.hide();
  };
  /**
   * Write out the command that Enter chooses if it needs nothing more; return whether Enter may send it.
   *
   * @param {KeyboardEvent} event
   */
  const isSent = (event) => {
    const item = listbox.active;
    if (event.key !== "Enter" || event.shiftKey || isComposing(event) || item?.kind !== "command") return false;
    if (tokenAt(field) !== token || !(item.acts || item.text === token)) return false;
    const end = field.selectionStart;
    field.setRangeText(item.text, end - token.length, end, "end");
    hide();
    return true;
  };
  listbox.list.tabIndex = 0; // it scrolls; the arrow keys of the field do that, too
  return {
    list: listbox.list,
    /**
     * Handle a key of the field; return whether it was meant for the list.
     *
     * @param {KeyboardEvent} event
     */
    key(event) {
      if (event.key === "Tab" && event.shiftKey) hide(); // the focus goes past the list
      return !isSent(event) && listbox.key(event);
    },
    hide,
    typed() {
      clearTimeout(timer);
      if (!tokenAt(field)) return hide();
      timer = setTimeout(look, COMPLETE_AFTER_MS);
      return undefined;
    },
  };
}
