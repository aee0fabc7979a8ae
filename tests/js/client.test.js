import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { makeModel, settled } from "./dom.js";
import { GONE, createClient } from "../../opencode_nb/static/chat/client.js";

function client(model = makeModel()) {
  const report = { slow: mock.fn(), failed: mock.fn() };
  return { model, report, ...createClient({ model, signal: new AbortController().signal, report }) };
}

const calls = (fn) => fn.mock.calls.map((call) => call.arguments);

test("each question gets its own answer, in any order", async () => {
  const { model, ask } = client();
  const answers = Promise.all([ask("models"), ask("sessions", { search: "x" })]);
  const [first, second] = model.sent;
  assert.deepEqual({ ...second, n: 0 }, { kind: "ask", what: "sessions", search: "x", n: 0 });
  model.tell("msg:custom", { kind: "answer", n: second.n, items: ["s"] });
  model.tell("msg:custom", { kind: "answer", n: first.n });
  assert.deepEqual(await answers, [[], ["s"]]);
});

test("a question that cannot be answered throws what Python says", async () => {
  const { model, ask } = client();
  const answer = ask("models");
  model.tell("msg:custom", { kind: "answer", n: model.sent[0].n, error: "Start the server." });
  await assert.rejects(answer, /Start the server/);
});

test("what failed is reported, with the intent that does it all the same", async () => {
  const { model, report, tell } = client();
  const [good, bad] = [tell("compact"), tell("undo", { message: "m" })];
  model.tell("msg:custom", { kind: "done", id: model.sent[0].id });
  model.tell("msg:custom", { kind: "failed", id: model.sent[1].id, message: "No.", again: { kind: "undo" } });
  assert.deepEqual(await Promise.all([good, bad]), [true, false]);
  assert.deepEqual(calls(report.failed), [["No.", { kind: "undo" }]]);
});

test("failures of cards are reported by every view, those of other views' controls by none", () => {
  const { model, report } = client();
  model.tell("msg:custom", { kind: "failed", id: "per_1", message: "Too late." });
  model.tell("msg:custom", { kind: "failed", id: "page-zzz", message: "Not mine." });
  assert.deepEqual(calls(report.failed), [["Too late."]]);
});

test("the kernel is slow until everything has arrived", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { model, report, tell } = client();
  const done = [tell("compact"), tell("stop")];
  t.mock.timers.tick(3999);
  assert.equal(report.slow.mock.callCount(), 0);
  t.mock.timers.tick(1);
  assert.deepEqual(calls(report.slow), [[true], [true]]);
  model.tell("msg:custom", { kind: "received", id: model.sent[0].id });
  assert.deepEqual(calls(report.slow).at(-1), [true], "the other one has not arrived");
  model.tell("msg:custom", { kind: "done", id: model.sent[1].id });
  assert.deepEqual(calls(report.slow).at(-1), [false]);
  model.tell("msg:custom", { kind: "done", id: model.sent[0].id });
  assert.deepEqual(await Promise.all(done), [true, true]);
});

test("without a comm everything fails at once", async () => {
  const { report, ask, tell } = client({ ...makeModel(), send() { throw new Error("closed"); } });
  assert.equal(await tell("stop"), false);
  assert.deepEqual(calls(report.failed).map(([message]) => message), [GONE]);
  await assert.rejects(ask("models"), { message: GONE });
  await settled();
});

test("without a connection nothing waits, and nothing is called slow", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { model, report, ask, tell, setConnected } = client();
  const waiting = tell("compact");
  setConnected(false);
  assert.equal(await waiting, false);
  await assert.rejects(ask("models"), { message: GONE });
  t.mock.timers.tick(60_000);
  assert.deepEqual(calls(report.slow).filter(([slow]) => slow), []);
  assert.equal(model.sent.length, 1);
  setConnected(true);
  tell("stop");
  assert.equal(model.sent.length, 2);
});
