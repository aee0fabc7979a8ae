import assert from "node:assert/strict";
import { test } from "node:test";

import { answerTo } from "../../opencode_nb/static/live/cells.js";

/** A notebook's shared model, as far as cells are concerned. */
class SharedNotebook {
  constructor(...sources) {
    this.cells = sources.map((source, index) => new SharedCell({ id: `c${index}`, cell_type: "code", source }));
  }
  insertCell(index, json) {
    const cell = new SharedCell(json);
    this.cells.splice(index, 0, cell);
    return cell;
  }
  deleteCell(index) { this.cells.splice(index, 1); }
  moveCell(from, to) { this.cells.splice(to, 0, ...this.cells.splice(from, 1)); }
  get sources() { return this.cells.map((cell) => cell.getSource()); }
}

class SharedCell {
  constructor({ id = "new", cell_type, source, outputs = [] }) {
    Object.assign(this, { id, cell_type, source, outputs, execution_count: null, edits: [] });
  }
  getSource() { return this.source; }
  updateSource(start, end, text) {
    this.edits.push([start, end, text]);
    this.source = this.source.slice(0, start) + text + this.source.slice(end);
  }
  getOutputs() { return this.outputs; }
  setOutputs(outputs) { this.outputs = outputs; }
  transact(change) { change(); }
  toJSON() { return { id: this.id, cell_type: this.cell_type, source: this.source, outputs: this.outputs, metadata: {} }; }
}

const ask = (notebook, request) => answerTo(notebook, { kind: "cells", id: "1", ...request }, []);

test("an edit changes only what differs", () => {
  const notebook = new SharedNotebook("a = 1\nb = 2\nc = 3");
  const { cell } = ask(notebook, { op: "edit", cell: "c0", expected: "a = 1\nb = 2\nc = 3", source: "a = 1\nb = 20\nc = 3" });
  assert.equal(cell.source, "a = 1\nb = 20\nc = 3");
  assert.deepEqual(notebook.cells[0].edits, [[11, 11, "0"]]);
});

test("edits between repeated letters come out right", () => {
  for (const [before, after] of [["aaa", "aa"], ["aa", "aaa"], ["abab", "ab"], ["", "x"], ["x", ""], ["same", "same"]]) {
    const notebook = new SharedNotebook(before);
    ask(notebook, { op: "edit", cell: "c0", expected: before, source: after });
    assert.equal(notebook.sources[0], after);
  }
});

test("an edit cuts no character in two", () => {
  for (const [before, after] of [["a\u{1F600}b", "a\u{1F601}b"], ["\u{1F600}", "\u{1F400}"], ["\u{1F600}\u{1F600}", "\u{1F600}"]]) {
    const notebook = new SharedNotebook(before);
    ask(notebook, { op: "edit", cell: "c0", expected: before, source: after });
    assert.equal(notebook.sources[0], after);
    for (const [start, end, text] of notebook.cells[0].edits) {
      for (const piece of [before.slice(0, start), before.slice(start, end), before.slice(end), text]) {
        assert.ok(piece.isWellFormed(), JSON.stringify([before, after, piece]));
      }
    }
  }
});

test("what a message has no room for is left out", () => {
  const notebook = new SharedNotebook("a", "b");
  const picture = { output_type: "display_data", data: { "image/png": "A".repeat(1_500_000) } };
  notebook.cells[0].outputs = [picture, picture, picture];
  const { cells } = ask(notebook, { op: "cells", text: 20, images: true });
  assert.deepEqual(cells[0].outputs.map(({ png }) => Boolean(png)), [true, true, false]);
  const { cell } = ask(notebook, { op: "delete", cell: "c0", expected: "a" });
  assert.deepEqual([cell.json.outputs, notebook.sources], [[], ["b"]]);
});

test("a cell that is not as expected stays as it is, and is told", () => {
  for (const op of ["edit", "delete", "move", "outputs"]) {
    const notebook = new SharedNotebook("mine", "other");
    const { refused, cell } = ask(notebook, { op, cell: "c0", expected: "theirs", source: "x", index: 1, outputs: [] });
    assert.deepEqual([refused, cell.source, notebook.sources], ["changed", "mine", ["mine", "other"]]);
  }
});

test("a cell that is gone is told as gone", () => {
  const notebook = new SharedNotebook("a");
  assert.deepEqual(ask(notebook, { op: "edit", cell: "nope", expected: "" }), { refused: "gone" });
  assert.deepEqual(ask(notebook, { op: "insert", after: "nope", source: "" }), { refused: "gone" });
  assert.deepEqual(ask(notebook, { op: "dance", cell: "c0" }), { refused: "unknown" });
});

test("a cell that has run is inserted with its outputs", () => {
  const notebook = new SharedNotebook("a", "b");
  const outputs = [{ output_type: "stream", name: "stdout", text: "1\n" }];
  const json = { cell_type: "code", source: "print(1)", metadata: { trusted: true }, outputs, execution_count: 7 };
  const { cell } = ask(notebook, { op: "insert", after: "c0", json });
  assert.deepEqual([cell.index, cell.source, notebook.cells[1].outputs], [1, "print(1)", outputs]);
});

test("a cell is inserted at an index, after another one, or at the end", () => {
  const notebook = new SharedNotebook("a", "b");
  assert.equal(ask(notebook, { op: "insert", index: 0, source: "first" }).cell.index, 0);
  assert.equal(ask(notebook, { op: "insert", after: "c0", source: "between" }).cell.index, 2);
  assert.equal(ask(notebook, { op: "insert", source: "last", type: "markdown" }).cell.type, "markdown");
  assert.equal(ask(notebook, { op: "insert", index: 99, source: "beyond" }).cell.index, 5);
  assert.deepEqual(notebook.sources, ["first", "a", "between", "b", "last", "beyond"]);
});

test("a deleted cell is given back whole, and a moved one tells where it was", () => {
  const notebook = new SharedNotebook("a", "b", "c");
  assert.deepEqual(ask(notebook, { op: "move", cell: "c0", expected: "a", index: 9 }).from, 0);
  assert.deepEqual(notebook.sources, ["b", "c", "a"]);
  const { cell } = ask(notebook, { op: "delete", cell: "c1", expected: "b" });
  assert.deepEqual([cell.json.source, cell.index, notebook.sources], ["b", 0, ["c", "a"]]);
  ask(notebook, { op: "insert", index: cell.index, json: cell.json });
  assert.deepEqual(notebook.cells.map(({ id }) => id), ["c1", "c2", "c0"]);
  assert.deepEqual(ask(notebook, { op: "insert", index: 0, json: cell.json }), { refused: "there" });
});

test("outputs are shown below code only", () => {
  const notebook = new SharedNotebook("1");
  const outputs = [{ output_type: "stream", name: "stdout", text: "1\n" }];
  ask(notebook, { op: "outputs", cell: "c0", expected: "1", outputs, count: 7 });
  assert.deepEqual([notebook.cells[0].outputs, notebook.cells[0].execution_count], [outputs, 7]);
  notebook.cells[0].cell_type = "markdown";
  assert.deepEqual(ask(notebook, { op: "outputs", cell: "c0", expected: "1" }), { refused: "not code" });
});

test("whole cells come in answers that fit into a message, unless one is too large", () => {
  const notebook = new SharedNotebook("a", "b", "c");
  const text = "x".repeat(2_500_000);
  for (const cell of notebook.cells) cell.outputs = [{ output_type: "stream", name: "stdout", text }];
  const { total, cells } = ask(notebook, { op: "whole" });
  assert.deepEqual([total, cells.map(({ id }) => id)], [3, ["c0"]]);
  assert.deepEqual(ask(notebook, { op: "whole", from: 2 }).cells, [notebook.cells[2].toJSON()]);
  notebook.cells[1].outputs[0] = { output_type: "stream", name: "stdout", text: text + text };
  assert.deepEqual(ask(notebook, { op: "whole", from: 1 }), { refused: "large" });
});

test("a listing is limited to a range or ids, and long outputs are cut in the middle", () => {
  const notebook = new SharedNotebook("a", "b", "c");
  notebook.cells[1].outputs = [
    { output_type: "stream", name: "stdout", text: ["x".repeat(60), "y".repeat(60)] },
    { output_type: "error", ename: "ValueError", evalue: "bad", traceback: [] },
    { output_type: "display_data", data: { "text/plain": "fig", "image/png": "AAAA", "text/html": "<b>" } },
  ];
  const { total, cells, selected } = answerTo(
    notebook, { kind: "cells", id: "1", op: "cells", from: 1, to: 2, text: 20, images: true }, [2],
  );
  assert.deepEqual([total, selected, cells.length], [3, ["c2"], 1]);
  const [stream, error, image] = cells[0].outputs;
  assert.match(stream.text, /^x{10}\n\[\.\.\. 100 characters left out \.\.\.\]\ny{10}$/);
  assert.equal(error.text, "ValueError: bad");
  assert.deepEqual([image.png, image.types], ["AAAA", ["text/plain", "image/png", "text/html"]]);
  assert.deepEqual(ask(notebook, { op: "cells", ids: ["c2", "c0"] }).cells.map(({ id }) => id), ["c0", "c2"]);
});
