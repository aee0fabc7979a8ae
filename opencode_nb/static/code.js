// What a person does with an answer's code and words: copy them, or put code into a cell of the notebook.

import { iconButton, make } from "./dom.js";

const TOLD_MS = 1500;

async function toClipboard(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = make("textarea", { style: "position:fixed;opacity:0" }); // a page that is not from localhost or https
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("The browser does not let this page copy. Select the text, and copy it by keys.");
}

/** The notebook that the view is in: by the widget manager that JupyterLab and Notebook give to every model. */
async function notebookOf(model) {
  const manager = await model.widget_manager;
  return manager?.context?.model?.sharedModel;
}

/** The index behind the cell that a person was in last; -1 where the page shows none. */
function nextCell() {
  const active = document.querySelector(".jp-Notebook .jp-Cell.jp-mod-active");
  return active ? Number(active.dataset.windowedListIndex) + 1 : -1;
}

/** Inserts code into a new cell below the active one; gives whether there is a notebook to insert into. */
async function insertCell(model, source) {
  const notebook = await notebookOf(model);
  if (typeof notebook?.insertCell !== "function") return false;
  const index = nextCell();
  notebook.insertCell(index < 0 ? notebook.cells.length : index, { cell_type: "code", source, metadata: {} });
  return true;
}

/** Gives code blocks and turns in `root` their buttons, once each; call it after changes. */
export function createAnswerTools({ root, model, tell, notices }) {
  const say = (button, text) => {
    const { title } = button;
    button.dataset.told = button.title = text;
    setTimeout(() => {
      delete button.dataset.told;
      button.title = title;
    }, TOLD_MS);
  };
  const copy = async (button, text) => {
    try {
      await toClipboard(text);
      say(button, "Copied");
    } catch (error) {
      notices.show("copy", error.message, { alert: true });
    }
  };
  const insert = async (button, text) => {
    if (await insertCell(model, text)) return say(button, "Inserted");
    await copy(button, text);
    return notices.show("copy", "This page lets no widget add cells: the code is in the clipboard, paste it into a cell.");
  };
  const codeTools = (code) => make("span", { class: "chat-code-tools", role: "group", "aria-label": "Code" },
    iconButton("copy", "Copy code", ({ currentTarget }) => copy(currentTarget, code.textContent)),
    iconButton("insert", "Insert into a new cell", ({ currentTarget }) => insert(currentTarget, code.textContent)));
  const answerOf = (article) => [...article.querySelectorAll("[data-part=text]")].map((part) => part.innerText).join("\n");
  const turnTools = (article) => {
    const { message } = article.dataset;
    return make("div", { class: "chat-turn-tools", role: "group", "aria-label": "Turn" },
      iconButton("copy", "Copy answer", ({ currentTarget }) => copy(currentTarget, answerOf(article))),
      iconButton("fork", "New session from here", () => tell("fork", { message })),
      iconButton("undo", "Take back from here", () => tell("undo", { message })));
  };

  return () => {
    for (const code of root.querySelectorAll(".oc-text pre.oc-code > code:first-child")) code.before(codeTools(code));
    for (const article of root.querySelectorAll("[role=log] > article[data-message]")) {
      if (!article.querySelector(":scope > .chat-turn-tools")) article.append(turnTools(article));
    }
    for (const box of root.querySelectorAll("pre, .oc-scroll, .oc-tall")) { // who has no mouse scrolls by keys
      if (!box.hasAttribute("tabindex") && box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    }
  };
}
