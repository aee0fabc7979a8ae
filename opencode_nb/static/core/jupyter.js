// The notebook that a view belongs to, reached without an extension: by what widgets are given, and by its toolbar.
// The view may stand in a tab of its own, with another notebook beside it: which one is in sight says nothing.

const FRAMES = 60; // how many to wait for a new cell to be drawn

const contexts = new Map(); // the elements of live views -> where the notebook of each is kept and changed

/** The context of the model's notebook: by the widget manager that JupyterLab and Notebook give to every model. */
export async function contextOf(model) {
  const context = (await model.widget_manager)?.context;
  return typeof context?.model?.sharedModel?.insertCell === "function" ? context : null;
}

/** Notes which notebook the view belongs to, for as long as `signal` lasts. */
export async function noteNotebook(view, model, signal) {
  const context = await contextOf(model);
  if (!context || signal.aborted) return;
  contexts.set(view, context);
  signal.addEventListener("abort", () => contexts.delete(view));
}

/** The notebook's element on the page: around the view, or around another view that belongs to the same notebook. */
function notebookNode(view) {
  const context = contexts.get(view);
  const beside = context ? [...contexts.keys()].filter((other) => contexts.get(other) === context) : [];
  return [view, ...beside].map((one) => one.closest(".jp-NotebookPanel")).find(Boolean) ?? null;
}

/** Whether one sees the view's notebook. */
export function seesNotebook(view) {
  return notebookNode(view)?.checkVisibility() ?? false;
}

/** Presses the button of a command in the toolbar of the view's notebook; gives whether there is one. */
function pressInToolbar(view, command) {
  const button = notebookNode(view)?.querySelector(`.jp-NotebookPanel-toolbar [data-command="${command}"]`);
  button?.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true })); // some hear no click, some nothing else
  return Boolean(button);
}

/** Saves the view's notebook, and gives whether that can be done. The toolbar's command saves what has the focus. */
export function saveNotebook(view) {
  if (view.closest(".jp-NotebookPanel")) return pressInToolbar(view, "docmanager:save");
  const context = contexts.get(view);
  context?.save().catch(() => {}); // JupyterLab itself tells what went wrong
  return Boolean(context);
}

/** Inserts code into a new cell below the active one, at the end where that is not known; gives its index. */
export function insertCell(context, view, source) {
  const notebook = context.model.sharedModel;
  const active = notebookNode(view)?.querySelector(".jp-Cell.jp-mod-active");
  const index = active ? Number(active.dataset.windowedListIndex) + 1 : notebook.cells.length;
  notebook.insertCell(index, { cell_type: "code", source, metadata: {} });
  return index;
}

/** Runs a new cell as a person does: goes into it, and presses the toolbar's button. Gives whether that could be done. */
export async function runCell(view, index) {
  const node = notebookNode(view);
  for (let frame = 0; node && frame < FRAMES; frame += 1) {
    await new Promise(requestAnimationFrame); // cells are drawn when the browser has time
    const editor = node.querySelector(`.jp-Cell[data-windowed-list-index="${index}"] .cm-content`);
    if (!editor) continue;
    editor.focus(); // the toolbar runs what is active in the notebook that has the focus
    return editor.contains(document.activeElement) && pressInToolbar(view, "notebook:run-cell-and-select-next");
  }
  return false;
}
