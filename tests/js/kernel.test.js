import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { assertNodes, makeModel, settled, show } from "./dom.js";
import { createDisabler, watchKernel, watchView } from "../../opencode_nb/static/core/kernel.js";

/** One of JupyterLab's signals. */
function makeSignal() {
  const slots = new Set();
  return {
    connect: (slot) => slots.add(slot),
    disconnect: (slot) => slots.delete(slot),
    emit: (value) => { for (const slot of slots) slot(null, value); },
    get listening() { return slots.size; },
  };
}

async function watched(node = show("<div></div>")) {
  const session = { statusChanged: makeSignal(), connectionStatusChanged: makeSignal(), kernelChanged: makeSignal() };
  const context = { sessionContext: session, model: { sharedModel: { insertCell() {} } } };
  const model = { ...makeModel(), widget_manager: Promise.resolve({ context }) };
  const view = new AbortController();
  const told = mock.fn();
  const kernel = watchKernel({ model, node, signal: view.signal, show: told });
  await settled();
  return { session, model, view, kernel, told: () => told.mock.calls.map(({ arguments: [connected] }) => connected) };
}

for (const status of ["restarting", "autorestarting", "terminating", "dead"]) {
  test(`a kernel that is ${status} is gone for good`, async () => {
    const { session, told, kernel } = await watched();
    session.statusChanged.emit("busy");
    assert.deepEqual(told(), []);
    session.statusChanged.emit(status);
    session.statusChanged.emit("idle");
    session.connectionStatusChanged.emit("connected");
    assert.deepEqual(told(), [false]);
    assert.equal(kernel.connected, false);
  });
}

test("another kernel, or none, is not the view's", async () => {
  const { session, told } = await watched();
  session.kernelChanged.emit({ oldValue: null, newValue: { id: "1" } });
  session.kernelChanged.emit({ oldValue: { id: "1" }, newValue: { id: "1" } });
  assert.deepEqual(told(), []);
  session.kernelChanged.emit({ oldValue: { id: "1" }, newValue: null });
  assert.deepEqual(told(), [false]);
});

test("a server that cannot be reached may come back", async () => {
  const { session, told } = await watched();
  for (const status of ["connecting", "connected", "connecting", "disconnected", "connecting", "connected"]) {
    session.connectionStatusChanged.emit(status);
  }
  assert.deepEqual(told(), [false, true]);
});

test("ipywidgets' own sign counts, wherever the view is shown", async () => {
  const box = show('<div><div class="view"></div></div>');
  const { model, told } = await watched(box.firstElementChild);
  model.tell("comm_live_update");
  await settled();
  assert.deepEqual(told(), []);
  box.className = "jupyter-widgets-disconnected";
  model.tell("comm_live_update");
  await settled();
  assert.deepEqual(told(), [false]);
  const late = await watched(box.firstElementChild);
  assert.deepEqual(late.told(), [false], "a view of a dead model is dead from the beginning");
});

test("a view that is gone listens to nothing", async () => {
  const { session, model, view } = await watched();
  view.abort();
  assert.equal(model.listening, 0);
  assert.deepEqual(Object.values(session).map(({ listening }) => listening), [0, 0, 0]);
});

test("what was disabled before stays disabled after", () => {
  const root = show("<div><button data-intent=a>A</button><button data-intent=b disabled>B</button><button>Copy</button></div>");
  const [a, b, copy] = root.children;
  const disable = createDisabler(root);
  disable(false);
  assert.deepEqual([a.disabled, b.disabled, copy.disabled], [true, true, false]);
  disable(true);
  assert.deepEqual([a.disabled, b.disabled, copy.disabled], [false, true, false]);
});

test("a view says above itself what to do, with a button if its cell can be run", async () => {
  for (const [markup, buttons] of [["<div><div class=root></div></div>", 0], ['<div class="jp-Cell" data-windowed-list-index="2"><div class=root></div></div>', 1]]) {
    const box = show(markup);
    const root = box.firstElementChild;
    const kernel = watchView({ model: makeModel(), root, signal: new AbortController().signal });
    const line = box.firstElementChild;
    assert.equal(line.hidden, true);
    kernel.ended();
    assert.equal(line.hidden, false);
    assert.match(line.textContent, /^This view is disconnected\. Rerun its cell\./);
    assert.equal(line.querySelectorAll("button").length, buttons);
    assertNodes([line.nextElementSibling], [root]);
  }
});
