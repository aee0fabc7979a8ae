// The notebook that a view stands in, reached without an extension: by what widgets are given, and by its toolbar.

const FRAMES = 60; // how many to wait for a new cell to be drawn

/** The notebook that the view is in: by the widget manager that JupyterLab and Notebook give to every model. */
export async function notebookOf(model) {
  const manager = await model.widget_manager;
  const notebook = manager?.context?.model?.sharedModel;
  return typeof notebook?.insertCell === "function" ? notebook : null;
}

/** The notebook's element on the page: around the view, or the only one in sight where the view has a tab of its own. */
function notebookNode(view) {
  const inSight = document.querySelectorAll(".jp-NotebookPanel:not(.lm-mod-hidden)");
  return view.closest(".jp-NotebookPanel") ?? (inSight.length === 1 ? inSight[0] : null);
}

/** Presses the button of a command in the notebook's toolbar; gives whether there is one. */
export function pressInToolbar(view, command) {
  const button = notebookNode(view)?.querySelector(`.jp-NotebookPanel-toolbar [data-command="${command}"]`);
  button?.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true })); // some hear no click, some nothing else
  return Boolean(button);
}

/** Inserts code into a new cell below the active one, at the end where that is not known; gives its index. */
export function insertCell(notebook, view, source) {
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
    editor.focus();
    return pressInToolbar(view, "notebook:run-cell-and-select-next");
  }
  return false;
}
