import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { makeModel, settled } from "./dom.js";
import { initializeSaved, savedOutput, writeOutputs } from "../../opencode_nb/static/live/saved_output.js";

const WIDGET = "application/vnd.jupyter.widget-view+json";
const LIVE = "application/vnd.opencode-nb.one+json";
const SAVED = { id: "one", data: { "text/html": "<p>new</p>" }, metadata: { opencode_nb: { session: "ses_1" } } };

const shown = (data = {}, metadata = {}) => ({ output_type: "display_data", data, metadata });
const asWidget = (id = "one") => shown({ [WIDGET]: { model_id: id }, "text/plain": "old", "text/html": "<p>old</p>" });

/** A notebook with one cell of code with these outputs, and one of prose, as JupyterLab's model of it. */
function notebook(...outputs) {
  const list = {
    get length() { return outputs.length; },
    get: (index) => ({ data: outputs[index].data, toJSON: () => structuredClone(outputs[index]) }),
    set: mock.fn((index, output) => { outputs[index] = output; context.model.dirty = true; }),
  };
  const context = { ready: Promise.resolve(), isDisposed: false, outputs, list, model: {
    dirty: false, cells: [{}, { outputs: list }], sharedModel: { insertCell() {} },
  } };
  return context;
}

/** JupyterLab's table of renderers, with the one for widgets. */
function makeRendermime() {
  const renderModel = mock.fn(async () => {});
  const factories = { [WIDGET]: { createRenderer: () => ({ renderModel }) } };
  return {
    renderModel, factories,
    getFactory: (type) => factories[type],
    addFactory: (factory) => { for (const type of factory.mimeTypes) factories[type] = factory; },
    removeMimeType: (type) => { delete factories[type]; },
  };
}

test("the notebook keeps the static forms and no widget", () => {
  const output = savedOutput({ ...asWidget(), execution_count: 3 }, SAVED, true);
  assert.deepEqual(output.data, { "text/plain": "old", "text/html": "<p>new</p>", [LIVE]: { model_id: "one" } });
  assert.deepEqual(output.metadata, SAVED.metadata);
  assert.equal(output.execution_count, 3);
  assert.deepEqual(Object.keys(savedOutput(output, SAVED, false).data), ["text/plain", "text/html"]);
});

test("only the view's own outputs are written, and once", () => {
  const context = notebook({ output_type: "stream", text: "x" }, asWidget("other"), asWidget());
  writeOutputs(context, SAVED);
  writeOutputs(context, SAVED);
  assert.deepEqual(context.list.set.mock.calls.map(({ arguments: [index] }) => index), [2]);
  assert.equal(context.outputs[2].data["text/html"], "<p>new</p>");
});

test("a view that is drawn again leaves an unchanged notebook clean", () => {
  const context = notebook(savedOutput(asWidget(), SAVED, true));
  writeOutputs(context, SAVED, { redraw: true });
  assert.equal(context.list.set.mock.callCount(), 1);
  assert.equal(context.model.dirty, false);
});

test("a view follows its model, is drawn once, and leaves its static form behind", async () => {
  const context = notebook(savedOutput(asWidget(), SAVED, true));
  const rendermime = makeRendermime();
  const model = { ...makeModel({ saved: SAVED }), widget_manager: Promise.resolve({ context, rendermime }) };
  const end = initializeSaved({ model });
  await settled();
  assert.equal(context.list.set.mock.callCount(), 1, "after a reload the output has to be drawn again");
  const renderer = rendermime.getFactory(LIVE).createRenderer({});
  await Promise.all([renderer.renderModel({}), renderer.renderModel({})]);
  assert.equal(rendermime.renderModel.mock.callCount(), 1);
  model.set("saved", { ...SAVED, data: { "text/html": "<p>newer</p>" } });
  model.tell("change:saved");
  assert.equal(context.outputs[0].data["text/html"], "<p>newer</p>");
  end();
  assert.equal(rendermime.getFactory(LIVE), undefined);
  assert.equal(context.outputs[0].data[LIVE], undefined);
  assert.equal(model.listening, 0);
});

test("pages without a notebook of JupyterLab's are left alone", async () => {
  for (const manager of [undefined, Promise.resolve({}), Promise.resolve({ context: notebook() })]) {
    const model = { ...makeModel({ saved: SAVED }), widget_manager: manager };
    initializeSaved({ model });
    await settled();
    assert.equal(model.listening, 0);
  }
});
