// What a person does with an answer's code and words: copy them, or put code into a cell of the notebook.

import { copyText, icon, iconButton, make } from "../core/dom.js";
import { contextOf, insertCell, runCell, seesNotebook } from "../core/jupyter.js";

const TOLD_MS = 1500;
const SOURCE_MS = 1000; // longer than an idle kernel takes; one that is gone never answers

const after = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/** What an answer says on the page, without what its subagents said. */
function wordsOf(article) {
  return [...article.querySelectorAll("[data-part=text]:not(.oc-child *)")].map((part) => part.innerText).join("\n");
}

/** Gives code blocks and turns in `root` their buttons, once each; call it after changes. `say` tells what was done. */
export function createAnswerTools({ panel, root, model, client, undo, notices, say }) {
  const pictures = new Map(); // of buttons that show the check mark now
  const confirm = (button, text) => {
    if (!pictures.has(button)) {
      pictures.set(button, button.firstElementChild);
      setTimeout(() => {
        button.replaceChildren(pictures.get(button));
        pictures.delete(button);
      }, TOLD_MS);
    }
    button.replaceChildren(icon("check"));
    say(text);
  };
  const copy = async (button, text) => {
    try {
      await copyText(text);
      confirm(button, "Copied");
    } catch (error) {
      notices.show("copy", error.message, { alert: true });
    }
  };
  const insert = async (button, text, run) => {
    const context = await contextOf(model);
    if (!context) {
      await copy(button, text);
      notices.show("copy", "No widget can add cells here: the code is in the clipboard, paste it into a cell.");
      return;
    }
    const index = insertCell(context, panel, text);
    const seen = seesNotebook(panel);
    const ran = run && seen && await runCell(panel, index);
    confirm(button, ran ? "Running in a new cell" : "Inserted into a new cell");
    if (!seen) notices.show("copy", `The new cell is in ${context.path}, which is not in sight: ${run ? "run it by Shift+Enter there" : "look for it there"}.`);
    else if (run && !ran) notices.show("copy", "The new cell is there, but this page lets no widget run it: run it by Shift+Enter.");
  };
  const codeTools = (code) => make("span", { class: "chat-code-tools", role: "group", "aria-label": "Code" },
    iconButton("copy", "Copy code", ({ currentTarget }) => copy(currentTarget, code.textContent)),
    iconButton("insert", "Insert into a new cell", ({ currentTarget }) => insert(currentTarget, code.textContent, false)),
    iconButton("run", "Run in a new cell", ({ currentTarget }) => insert(currentTarget, code.textContent, true)));
  const sourceOf = async (message) => {
    const [{ text }] = await client.ask("answer", { message });
    return text;
  };
  /** The answer's own Markdown; where the kernel does not give it, what one reads. */
  const answerOf = async (article) => {
    const source = await Promise.race([sourceOf(article.dataset.message).catch(() => ""), after(SOURCE_MS)]);
    return source || wordsOf(article);
  };
  const turnTools = (article) => {
    const { message } = article.dataset;
    return make("div", { class: "chat-turn-tools", role: "group", "aria-label": "Turn" },
      iconButton("copy", "Copy text", ({ currentTarget }) => copy(currentTarget, answerOf(article))),
      iconButton("fork", "Branch off here", () => client.tell("fork", { message })),
      iconButton("undo", "Take back from here", () => undo.from(message)));
  };

  return () => {
    for (const code of root.querySelectorAll(".oc-text pre.oc-code > code:first-child")) code.before(codeTools(code));
    for (const article of root.querySelectorAll("[role=log] > article[data-message]")) {
      if (!article.querySelector(":scope > .chat-turn-tools")) article.append(turnTools(article));
    }
    const wide = [...root.querySelectorAll(":is(pre, .oc-scroll, .oc-tall):not([tabindex])")]
      .filter((box) => box.scrollWidth > box.clientWidth); // all are looked at before one is changed: one layout
    for (const box of wide) box.tabIndex = 0; // who has no mouse scrolls by keys
  };
}
