// Show what a slash command did: a text, a file to save, or a list to choose from.

/** @import { Client } from "./client.js" */
/** @import { Notices } from "./notices.js" */
/** @import { Result } from "./types.js" */

import { copyText } from "./clipboard.js";
import { query, queryAll } from "../core/dom.js";
import { download } from "../core/download.js";

/** The folds that a command opens and closes all at once. */
const FOLDS = {
  thinking: "[role=log] details[data-part=reasoning]",
  details: "[role=log] details[data-part=tool]",
};

/**
 * Open all folds that match, or close them if all are open. Their own clicks do it, so that they stay that way.
 *
 * @param {HTMLElement} root
 * @param {string} selector
 * @returns {boolean} whether there are any
 */
export function toggleFolds(root, selector) {
  const folds = /** @type {HTMLDetailsElement[]} */ (queryAll(root, selector));
  const opens = folds.some(({ open }) => !open);
  for (const fold of folds) if (fold.open !== opens) query(fold, "summary")?.click();
  return folds.length > 0;
}

/**
 * Copy the session as Markdown.
 *
 * @param {Client} client
 * @param {Notices} notices
 */
async function copySession({ ask }, notices) {
  const text = ask("export", { format: "md" })
    .then(([{ data }]) => new TextDecoder().decode(Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0))));
  try {
    await copyText(text);
    notices.show("result", "Copied the session as Markdown.");
  } catch (error) {
    notices.show("result", /** @type {Error} */ (error).message, { alert: true });
  }
}

/**
 * Make what shows the results of commands.
 *
 * @param {object} options
 * @param {HTMLElement} options.root
 * @param {Client} options.client
 * @param {Notices} options.notices
 * @param {(text: string) => void} options.say tells a screen reader what was done
 * @param {Record<string, () => boolean>} options.openers by what they open; they return whether there is something to open
 * @returns {(result: Result) => void}
 */
export function createResults({ root, client, notices, say, openers }) {
  /** @type {Record<string, () => boolean>} */
  const all = {
    ...openers,
    thinking: () => toggleFolds(root, FOLDS.thinking),
    details: () => toggleFolds(root, FOLDS.details),
    copy() {
      copySession(client, notices);
      return true;
    },
  };
  return ({ text = "", said = "", opens = "", file }) => {
    if (file) download(file);
    if (all[opens]?.()) return;
    if (text) notices.show("result", text);
    if (said) say(said);
  };
}
