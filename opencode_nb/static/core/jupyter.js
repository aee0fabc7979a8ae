// Reach the notebook that a view belongs to without a JupyterLab extension: through what widgets are given, and through
// the notebook's toolbar. The view may be in a tab of its own beside another notebook, so what is visible proves nothing.

/** @import { Model, NotebookContext } from "./types.js" */

import { closest, query } from "./dom.js";

const FRAMES = 60; // frames to wait for a new cell to be drawn

/** @type {Map<HTMLElement, NotebookContext>} */
const contexts = new Map(); // the elements of live views -> the context of each one's notebook

/**
 * Return the context of the model's notebook, from the widget manager that JupyterLab and Notebook give to every model.
 *
 * @param {Model} model
 */
export async function contextOf(model) {
  const context = (await model.widget_manager)?.context;
  return typeof context?.model?.sharedModel?.insertCell === "function" ? context : null;
}

/**
 * Remember which notebook the view belongs to until `signal` aborts; return whether there is one.
 *
 * @param {HTMLElement} view
 * @param {Model} model
 * @param {AbortSignal} signal
 */
export async function noteNotebook(view, model, signal) {
  const context = await contextOf(model);
  if (!context || signal.aborted) return false;
  contexts.set(view, context);
  signal.addEventListener("abort", () => contexts.delete(view));
  return true;
}

/**
 * Find the notebook's element: around the view, or around another view of the same notebook.
 *
 * @param {HTMLElement} view
 */
function notebookNode(view) {
  const context = contexts.get(view);
  const beside = context ? [...contexts.keys()].filter((other) => contexts.get(other) === context) : [];
  return [view, ...beside].map((one) => closest(one, ".jp-NotebookPanel")).find(Boolean) ?? null;
}

/**
 * Whether the view's notebook is visible.
 *
 * @param {HTMLElement} view
 */
export function seesNotebook(view) {
  return notebookNode(view)?.checkVisibility() ?? false;
}

/**
 * Press a command's button in the toolbar of the view's notebook; return whether there is one.
 *
 * @param {HTMLElement} view
 * @param {string} command
 */
function pressInToolbar(view, command) {
  const button = notebookNode(view)?.querySelector(`.jp-NotebookPanel-toolbar [data-command="${command}"]`);
  button?.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true })); // some ignore clicks, some all else
  return Boolean(button);
}

/**
 * Save the view's notebook; return whether that is possible. The toolbar's command saves what has the focus.
 *
 * @param {HTMLElement} view
 */
export function saveNotebook(view) {
  if (view.closest(".jp-NotebookPanel")) return pressInToolbar(view, "docmanager:save");
  const context = contexts.get(view);
  context?.save().catch(() => {}); // JupyterLab itself shows what went wrong
  return Boolean(context);
}

/**
 * Insert code into a new cell below the active one, or at the end if that is unknown.
 *
 * @param {NotebookContext} context
 * @param {HTMLElement} view
 * @param {string} source
 * @returns {number} the new cell's index
 */
export function insertCell(context, view, source) {
  const notebook = context.model.sharedModel;
  const panel = notebookNode(view);
  const active = panel && query(panel, ".jp-Cell.jp-mod-active");
  const index = active ? Number(active.dataset.windowedListIndex) + 1 : notebook.cells.length;
  notebook.insertCell(index, { cell_type: "code", source, metadata: {} });
  return index;
}

/**
 * Return the indices of the selected cells in the view's notebook, the active one among them.
 *
 * @param {HTMLElement} view
 */
export function selectedCells(view) {
  const cells = notebookNode(view)?.querySelectorAll(".jp-Cell.jp-mod-active, .jp-Cell.jp-mod-selected") ?? [];
  return [...cells].map((cell) => Number(/** @type {HTMLElement} */ (cell).dataset.windowedListIndex));
}

/**
 * Follow which cells are selected in the view's notebook, each time that the user comes to the view: a view inside of a
 * cell makes that the active one.
 *
 * @param {HTMLElement} view
 * @param {AbortSignal} signal
 * @returns {() => { id: string, index: number }[]} returns those that were selected last, in order
 */
export function followSelection(view, signal) {
  /** @type {string[]} */
  let ids = [];
  const cells = () => contexts.get(view)?.model.sharedModel.cells ?? [];
  const look = () => {
    const own = Number(closest(view, ".jp-Cell")?.dataset.windowedListIndex);
    const chosen = selectedCells(view).filter((index) => index !== own).map((index) => cells()[index]?.id ?? "");
    if (chosen.length > 0) ids = chosen;
  };
  for (const event of ["pointerdown", "focusin"]) view.addEventListener(event, look, { capture: true, signal });
  return () => cells().map(({ id }, index) => ({ id, index })).filter(({ id }) => ids.includes(id));
}

/**
 * Run a new cell as a user does: focus it, and press the toolbar's button. Return whether that worked.
 *
 * @param {HTMLElement} view
 * @param {number} index
 */
export async function runCell(view, index) {
  const node = notebookNode(view);
  for (let frame = 0; node && frame < FRAMES; frame += 1) {
    await new Promise(requestAnimationFrame); // cells are drawn when the browser has time
    const editor = query(node, `.jp-Cell[data-windowed-list-index="${index}"] .cm-content`);
    if (!editor) continue;
    editor.focus(); // the toolbar runs the active cell of the notebook that has the focus
    return editor.contains(document.activeElement) && pressInToolbar(view, "notebook:run-cell-and-select-next");
  }
  return false;
}
