import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { makeModel } from "./dom.js";
import { lifetime, on } from "../../opencode_nb/static/core/model.js";
import { createReceiver, createSender, sayHello } from "../../opencode_nb/static/live/protocol.js";

function receiver() {
  const model = makeModel();
  const shown = [];
  const page = { patch: (ops) => shown.push(ops), reset: (html) => shown.push(html) };
  return { model, shown, ...createReceiver(model, page, (message) => model.send(message)) };
}

test("batches are applied in order, and each once", () => {
  const { model, shown, message } = receiver();
  for (const n of [0, 1, 1, 0, 2]) message({ kind: "patch", n, ops: [n] });
  assert.deepEqual(shown, [[0], [1], [2]]);
  assert.deepEqual(model.sent, []);
});

test("a gap is asked for once every two seconds until a snapshot fills it", (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: 10_000 });
  const { model, shown, message, snapshot } = receiver();
  message({ kind: "patch", n: 0, ops: ["a"] });
  for (const n of [2, 3]) message({ kind: "patch", n, ops: ["lost"] });
  assert.deepEqual(model.sent, [{ kind: "snapshot" }]);
  t.mock.timers.setTime(12_000);
  message({ kind: "patch", n: 4, ops: ["lost"] });
  assert.equal(model.sent.length, 2);
  model.set("snapshot", { n: 4, html: "all" });
  snapshot();
  message({ kind: "patch", n: 5, ops: ["b"] });
  assert.deepEqual(shown, [["a"], "all", ["b"]]);
  message({ kind: "patch", n: 7, ops: ["lost"] });
  assert.equal(model.sent.length, 3, "a new gap is asked for at once");
});

test("a complete view ignores a snapshot", () => {
  const { model, shown, message, snapshot } = receiver();
  snapshot();
  message({ kind: "patch", n: 0, ops: ["a"] });
  model.set("snapshot", { n: 0, html: "same" });
  snapshot();
  assert.deepEqual(shown, [["a"]]);
});

test("a ping is answered only by a view that has everything", () => {
  const { model, message } = receiver();
  message({ kind: "patch", n: 0, ops: [] });
  message({ kind: "ping", n: 0, id: "per_1" });
  message({ kind: "ping", n: 0 });
  assert.deepEqual(model.sent, [{ kind: "pong", id: "per_1" }]);
  message({ kind: "ping", n: 1, id: "per_2" });
  assert.deepEqual(model.sent.at(-1), { kind: "snapshot" });
});

test("unknown messages change nothing", () => {
  const { model, shown, message } = receiver();
  message({ kind: "sing" });
  assert.deepEqual([model.sent, shown], [[], []]);
});

test("a sender says when nothing can be sent any more", () => {
  const problem = new Error("no comm");
  const lost = mock.fn();
  createSender({ send() { throw problem; } }, lost)({ kind: "stop" });
  assert.deepEqual(lost.mock.calls.map((call) => call.arguments), [[problem]]);
});

test("hello is said three times, and not after the view has ended", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const send = mock.fn();
  sayHello(send, new AbortController().signal);
  t.mock.timers.tick(5000);
  assert.deepEqual(send.mock.calls.map((call) => call.arguments), Array(3).fill([{ kind: "hello" }]));
  const view = new AbortController();
  const late = mock.fn();
  sayHello(late, view.signal);
  t.mock.timers.tick(0);
  view.abort();
  t.mock.timers.tick(5000);
  assert.equal(late.mock.callCount(), 1);
});

test("listeners end with the view, whichever way that ends", () => {
  const model = makeModel();
  const outer = new AbortController();
  const views = [lifetime(outer.signal), lifetime()];
  for (const view of views) on(model, view.signal, "msg:custom", () => {});
  assert.equal(model.listening, 2);
  outer.abort();
  assert.equal(model.listening, 1);
  views[1].abort();
  assert.equal(model.listening, 0);
});
