// Read and change the cells of the view's notebook, as the kernel asks: through the model that JupyterLab gives every
// widget, so that its own undo takes a change back, and no file is written.

/** @import { Cell, CellRequest, Intent, Model, NotebookContext, NotebookModel, Output } from "../core/types.js" */

import { contextOf, selectedCells } from "../core/jupyter.js";
import { on } from "../core/model.js";

const LARGEST_IMAGE = 2_000_000; // characters of base64
const LARGEST_CELL = 1_000_000; // characters: a message from Python may be dropped above some millions
const LARGEST_CELLS = 4_000_000; // characters of whole cells in one answer
const MOST_OF_IMAGES = 4_000_000; // characters of one answer: Jupyter's server closes the connection above 10 million
const MOST_OF_TEXT = 400_000; // characters of outputs in one answer

/**
 * Answer the kernel's requests about cells until `signal` aborts. A notebook can have many views: the kernel asks who is
 * there first, and then one of them, by the name that it gave itself.
 *
 * @param {Model} model
 * @param {HTMLElement} root
 * @param {(message: Intent) => void} send
 * @param {AbortSignal} signal
 */
export function serveCells(model, root, send, signal) {
  const page = Math.random().toString(36).slice(2);
  on(model, signal, "msg:custom", async (/** @type {CellRequest} */ request) => {
    if (request.kind !== "cells" || (request.page && request.page !== page)) return;
    const context = await contextOf(model);
    if (!context || signal.aborted) return;
    const { id, op } = request;
    const notebook = context.model.sharedModel;
    if (op === "who") {
      if (request.cell && !notebook.cells.some((cell) => cell.id === request.cell)) return; // of another notebook
      if (request.file && context.path.split("/").pop() !== request.file) return;
      const inside = Boolean(root.closest(".jp-NotebookPanel"));
      send({ kind: "cells", id, page, path: context.path, saved: context.contentsModel?.last_modified, inside });
    } else {
      const answer = answerTo(notebook, request, selectedCells(root));
      if (op === "outputs" && !("refused" in answer)) trust(context, request);
      send({ kind: "cells", id, ...answer });
    }
  });
}

/**
 * Trust a cell that shows outputs of this kernel now, as JupyterLab does when it runs one: the saved notebook stays trusted.
 *
 * @param {NotebookContext} context
 * @param {CellRequest} request
 */
function trust(context, request) {
  for (const cell of context.model.cells) if (cell.id === request.cell) cell.trusted = true;
}

/**
 * Carry out a request, and tell what came of it; `refused` says why nothing was changed.
 *
 * @param {NotebookModel} notebook
 * @param {CellRequest} request
 * @param {number[]} selected
 */
export function answerTo(notebook, request, selected) {
  const index = notebook.cells.findIndex((cell) => cell.id === request.cell);
  const cell = notebook.cells[index];
  const changing = OPERATIONS[request.op];
  if (request.op === "cells") return listed(notebook, request, selected);
  if (request.op === "whole") return whole(notebook, request);
  if (request.op === "insert") return inserted(notebook, request);
  if (!changing) return { refused: "unknown" };
  if (!cell) return { refused: "gone" };
  if (cell.getSource() !== request.expected) return { refused: "changed", cell: described(cell, index, request) };
  return changing(notebook, cell, index, request);
}

/** @type {Record<string, (notebook: NotebookModel, cell: Cell, index: number, request: CellRequest) => object>} */
const OPERATIONS = {
  edit(_notebook, cell, index, request) {
    replaceSource(cell, request.source ?? "");
    return { cell: described(cell, index, request) };
  },
  delete(notebook, cell, index, request) {
    const gone = { ...described(cell, index, request), json: small(cell.toJSON()) };
    notebook.deleteCell(index);
    return { cell: gone };
  },
  move(notebook, cell, index, request) {
    const to = Math.min(request.index ?? 0, notebook.cells.length - 1);
    notebook.moveCell(index, to);
    return { cell: described(notebook.cells[to], to, request), from: index };
  },
  outputs(_notebook, cell, index, request) {
    if (cell.cell_type !== "code") return { refused: "not code" };
    cell.transact?.(() => {
      cell.setOutputs?.(request.outputs ?? []);
      cell.execution_count = request.count ?? null;
    }, false);
    return { cell: described(cell, index, request) };
  },
};

/**
 * Insert a cell, at an index or after another cell. One that is there already, as after the user's own undo, stays.
 *
 * @param {NotebookModel} notebook
 * @param {CellRequest} request
 */
function inserted(notebook, request) {
  const after = request.after === undefined ? -1 : notebook.cells.findIndex((cell) => cell.id === request.after);
  if (request.after !== undefined && after < 0) return { refused: "gone" };
  if (notebook.cells.some((cell) => cell.id === request.json?.id)) return { refused: "there" };
  const index = Math.min(request.after === undefined ? request.index ?? notebook.cells.length : after + 1, notebook.cells.length);
  const cell = notebook.insertCell(index, request.json ?? { cell_type: request.type ?? "code", source: request.source ?? "", metadata: {} });
  return { cell: described(cell, index, request) };
}

/**
 * Replace only what differs: the cursor of somebody who looks at the cell stays.
 *
 * @param {Cell} cell
 * @param {string} source
 */
function replaceSource(cell, source) {
  const before = cell.getSource();
  const most = Math.min(before.length, source.length);
  let start = 0;
  while (start < most && before[start] === source[start]) start += 1;
  let same = 0;
  while (same < most - start && before.at(-1 - same) === source.at(-1 - same)) same += 1;
  if (isHalf(before, start) || isHalf(source, start)) start -= 1;
  if (isHalf(before, before.length - same) || isHalf(source, source.length - same)) same -= 1;
  cell.updateSource(start, before.length - same, source.slice(start, source.length - same));
}

/**
 * Whether an index is between the two halves of a character: cut there, it is lost.
 *
 * @param {string} text
 * @param {number} index
 */
const isHalf = (text, index) => /^[\uDC00-\uDFFF]/.test(text.slice(index)) && /[\uD800-\uDBFF]$/.test(text.slice(0, index));

/**
 * List the cells from an index to another, or those with some ids.
 *
 * @param {NotebookModel} notebook
 * @param {CellRequest} request
 * @param {number[]} selected
 */
function listed(notebook, request, selected) {
  const { from = 0, to = notebook.cells.length, ids } = request;
  const asked = notebook.cells
    .map((cell, index) => /** @type {[Cell, number]} */ ([cell, index]))
    .filter(([cell, index]) => (ids ? ids.includes(cell.id) : index >= from && index < to));
  const room = { images: MOST_OF_IMAGES, text: MOST_OF_TEXT };
  const chosen = selected.map((index) => notebook.cells[index]?.id).filter(Boolean);
  return { total: notebook.cells.length, selected: chosen, cells: asked.map(([cell, index]) => described(cell, index, request, room)) };
}

/**
 * Return whole cells from an index on, as many as one answer has room for.
 *
 * @param {NotebookModel} notebook
 * @param {CellRequest} request
 */
function whole(notebook, { from = 0 }) {
  const cells = [];
  let room = LARGEST_CELLS;
  for (const cell of notebook.cells.slice(from)) {
    const json = cell.toJSON();
    room -= JSON.stringify(json).length;
    if (room < 0) break;
    cells.push(json);
  }
  const total = notebook.cells.length;
  return cells.length === 0 && from < total ? { refused: "large" } : { total, cells };
}

/**
 * Describe a cell as the kernel reads it.
 *
 * @param {Cell} cell
 * @param {number} index
 * @param {CellRequest} request
 * @param {Room} [room]
 */
function described(cell, index, request, room = { images: MOST_OF_IMAGES, text: MOST_OF_TEXT }) {
  const outputs = request.text === undefined ? [] : cell.getOutputs?.() ?? [];
  const told = outputs.map((output) => shortened(output, request.text ?? 0, Boolean(request.images), room));
  const count = cell.execution_count ?? null;
  return { id: cell.id, index, type: cell.cell_type, source: cell.getSource(), count, outputs: told };
}

/** @typedef {{ images: number, text: number }} Room what is left for outputs in an answer, in characters */

/**
 * Shorten an output: texts to a number of characters, images to those that are asked for and small enough.
 *
 * @param {Output} output
 * @param {number} most
 * @param {boolean} images
 * @param {Room} room
 */
function shortened(output, most, images, room) {
  const { output_type: type } = output;
  /** @param {string} text */
  const fit = (text) => {
    const told = cut(text, Math.min(most, room.text));
    room.text = Math.max(0, room.text - told.length);
    return told;
  };
  if (type === "stream") return { type, name: output.name, text: fit(joined(output.text)) };
  if (type === "error") return { type, name: output.ename, text: fit(`${output.ename}: ${output.evalue}`) };
  const data = output.data ?? {};
  const png = joined(data["image/png"]);
  const fits = images && png && png.length <= Math.min(LARGEST_IMAGE, room.images);
  if (fits) room.images -= png.length;
  return { type, types: Object.keys(data), text: fit(joined(data["text/plain"])), ...(fits ? { png } : {}) };
}

/**
 * Return a cell for an undo, without its outputs if they are too large for a message.
 *
 * @param {object} json
 */
const small = (json) => (JSON.stringify(json).length > LARGEST_CELL ? { ...json, outputs: [] } : json);

/** @param {unknown} text as in the notebook's file: a text, or its lines */
const joined = (text) => (Array.isArray(text) ? text.join("") : typeof text === "string" ? text : "");

/**
 * Cut the middle out of a long text.
 *
 * @param {string} text
 * @param {number} most
 */
function cut(text, most) {
  const over = text.length - most;
  if (over <= 0) return text;
  const half = Math.floor(most / 2);
  return `${text.slice(0, half)}\n[... ${over} characters left out ...]\n${text.slice(text.length - half)}`;
}
