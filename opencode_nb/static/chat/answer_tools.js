// What the user can do with an answer: copy its code and text, put code into a cell of the notebook, fork or undo.

/** @import { Model } from "../core/types.js" */
/** @import { Client } from "./client.js" */
/** @import { Notices } from "./notices.js" */
/** @import { Undo } from "./undo.js" */

import { copyText } from "./clipboard.js";
import { icon, iconButton, withhold } from "../core/buttons.js";
import { make, queryAll } from "../core/dom.js";
import { contextOf, insertCell, runCell, seesNotebook } from "../core/jupyter.js";

const CONFIRM_MS = 1500;
const SOURCE_MS = 1000; // longer than an idle kernel needs; one that is gone never answers

/**
 * @param {number} ms
 * @returns {Promise<undefined>}
 */
const after = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/**
 * Collect what an answer says on the page, without what its subagents said.
 *
 * @param {HTMLElement} article
 */
function wordsOf(article) {
  return queryAll(article, "[data-part=text]:not(.oc-child *)").map((part) => part.innerText).join("\n");
}

/**
 * Show a check mark on a button for a moment, and say what was done.
 *
 * @param {(text: string) => void} say
 */
function createConfirmation(say) {
  /** @type {Map<HTMLElement, Element | null>} */
  const icons = new Map(); // of the buttons that show the check mark now
  /**
   * @param {HTMLElement} button
   * @param {string} text
   */
  return (button, text) => {
    if (!icons.has(button)) {
      icons.set(button, button.firstElementChild);
      setTimeout(() => {
        button.replaceChildren(icons.get(button) ?? "");
        icons.delete(button);
      }, CONFIRM_MS);
    }
    button.replaceChildren(icon("check"));
    say(text);
  };
}

/**
 * Let scrollable boxes below `root` be scrolled by keys.
 *
 * @param {HTMLElement} root
 */
function makeScrollable(root) {
  const large = queryAll(root, ":is(pre, .oc-scroll, .oc-tall, .oc-display):not([tabindex])")
    .filter((box) => box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight); // look at all before changing one: one layout
  for (const box of large) box.tabIndex = 0;
}

/**
 * Make what gives code blocks and turns in `root` their buttons, once each.
 *
 * @param {object} options
 * @param {HTMLElement} options.panel
 * @param {HTMLElement} options.root
 * @param {Model} options.model
 * @param {Client} options.client
 * @param {Undo} options.undo
 * @param {Notices} options.notices
 * @param {(text: string) => void} options.say tells a screen reader what was done
 * @param {() => Record<string, string>} options.lacks why there are no such features
 * @returns {() => void} call it after changes
 */
export function createAnswerTools({ panel, root, model, client, undo, notices, say, lacks }) {
  const confirm = createConfirmation(say);
  /**
   * @param {HTMLElement} button
   * @param {string | Promise<string>} text
   */
  const copy = async (button, text) => {
    try {
      await copyText(text);
      confirm(button, "Copied");
    } catch (error) {
      notices.show("copy", /** @type {Error} */ (error).message, { alert: true });
    }
  };
  /**
   * @param {HTMLElement} button
   * @param {string} text
   * @param {boolean} run
   */
  const insert = async (button, text, run) => {
    const context = await contextOf(model);
    if (!context) {
      await copy(button, text);
      notices.show("copy", "Cells cannot be added from here. The code is copied: paste it into a cell.");
      return;
    }
    const index = insertCell(context, panel, text);
    const seen = seesNotebook(panel);
    const ran = run && seen && await runCell(panel, index);
    confirm(button, ran ? "Running in a new cell" : "Inserted into a new cell");
    if (!seen) notices.show("copy", `The new cell is in ${context.path}, which is not visible: ${run ? "run it there with Shift+Enter" : "look for it there"}.`);
    else if (run && !ran) notices.show("copy", "The new cell was added, but cannot be run from here: press Shift+Enter in it.");
  };
  /** @param {HTMLElement} code */
  const codeTools = (code) => {
    const text = () => code.textContent ?? "";
    return make("span", { class: "chat-code-tools", role: "group", "aria-label": "Code" },
      iconButton("copy", "Copy code", ({ currentTarget }) => copy(currentTarget, text())),
      iconButton("insert", "Insert into a new cell", ({ currentTarget }) => insert(currentTarget, text(), false)),
      iconButton("run", "Run in a new cell", ({ currentTarget }) => insert(currentTarget, text(), true)));
  };
  /**
   * @param {string | undefined} message
   * @returns {Promise<string>}
   */
  const sourceOf = async (message) => {
    const [{ text }] = await client.ask("answer", { message });
    return text;
  };
  /**
   * Return the answer's own Markdown, or what the page shows if the kernel does not give it.
   *
   * @param {HTMLElement} article
   */
  const answerOf = async (article) => {
    const source = await Promise.race([sourceOf(article.dataset.message).catch(() => ""), after(SOURCE_MS)]);
    return source || wordsOf(article);
  };
  /** @param {HTMLElement} article */
  const turnTools = (article) => {
    const { message } = article.dataset;
    const fork = iconButton("fork", "Fork from here", () => client.tell("fork", { message }));
    const back = iconButton("undo", "Undo from here", () => undo.from(message));
    withhold(fork, lacks().fork, "Fork from here");
    withhold(back, lacks().undo, "Undo from here");
    return make("div", { class: "chat-turn-tools", role: "group", "aria-label": "Turn" },
      iconButton("copy", "Copy answer", ({ currentTarget }) => copy(currentTarget, answerOf(article))), fork, back);
  };

  return () => {
    for (const code of queryAll(root, ".oc-text pre.oc-code > code:first-child")) code.before(codeTools(code));
    for (const article of queryAll(root, "[role=log] > article[data-message]")) {
      if (!article.querySelector(":scope > .chat-turn-tools")) article.append(turnTools(article));
    }
    makeScrollable(root);
  };
}
