import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

import { assertFocus, clear, press, show } from "./dom.js";
import { createNoticeTeller, createTurnTeller } from "../../opencode_nb/static/chat/chat.js";
import { accessText } from "../../opencode_nb/static/chat/kernel_access.js";
import { meterText } from "../../opencode_nb/static/chat/meter.js";
import { createNotices } from "../../opencode_nb/static/chat/notices.js";
import { matchesModel } from "../../opencode_nb/static/chat/pickers.js";
import { toggleFolds } from "../../opencode_nb/static/chat/results.js";
import { ago, titleOf } from "../../opencode_nb/static/chat/sessions.js";
import { anyway, createUndo } from "../../opencode_nb/static/chat/undo.js";
import { createAnnouncer } from "../../opencode_nb/static/live/accessibility.js";
import { clock, tick } from "../../opencode_nb/static/core/clocks.js";
import { make, setChildren, update } from "../../opencode_nb/static/core/dom.js";

beforeEach(clear);

test("an element has text, attributes and listeners, never markup", () => {
  const clicked = mock.fn();
  const node = make("button", { title: "x", disabled: false, hidden: true, id: undefined, onclick: clicked }, "<b>y</b>");
  node.dispatchEvent(new Event("click"));
  assert.equal(node.outerHTML, '<button title="x" hidden="">&lt;b&gt;y&lt;/b&gt;</button>');
  assert.equal(clicked.mock.callCount(), 1);
});

test("what the agent may use and know of the kernel is said in a few words", () => {
  const kernel = { tools: true, level: "schema", levels: [], not_covered: "" };
  assert.deepEqual(accessText(kernel), { short: "schema", name: "Kernel: tools on, privacy schema" });
  assert.deepEqual(accessText({ ...kernel, tools: false }), { short: "schema, no tools", name: "Kernel: tools off, privacy schema" });
});

test("children are put in order without moving those in place", () => {
  const [a, b, c] = ["a", "b", "c"].map((text) => make("i", {}, text));
  const box = make("div", {}, a, b);
  const moves = mock.method(box, "insertBefore");
  setChildren(box, [a, c, b]);
  assert.equal(box.textContent, "acb");
  setChildren(box, [c, b]);
  assert.equal(box.textContent, "cb");
  assert.equal(moves.mock.callCount(), 1, "only what is new was inserted");
});

test("properties are set only where they differ", () => {
  const set = mock.fn();
  const node = { get title() { return "same"; }, set title(value) { set(value); } };
  update(node, { title: "same" });
  assert.equal(set.mock.callCount(), 0);
  update(node, { title: "other" });
  assert.deepEqual(set.mock.calls[0].arguments, ["other"]);
});

test("clocks count from and to their times, and quick things show none", (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: 100_000 });
  assert.deepEqual([clock(-5), clock(59_400), clock(59_600), clock(605_000)], ["0 s", "59 s", "1 min 0 s", "10 min 5 s"]);
  const node = show('<p><i data-since="99500"></i> <i data-since="42000"></i> <i data-until="103000"></i></p>');
  tick(node);
  assert.equal(node.textContent, " 58 s 3 s");
});

test("each request is announced once, by its own id", () => {
  const root = show('<div><p data-part="permission" data-id="1">Run  it?</p></div>');
  const region = show("<div></div>");
  const announce = createAnnouncer(root, region);
  announce();
  assert.equal(region.textContent, "Run it?");
  region.textContent = "";
  announce();
  assert.equal(region.textContent, "");
  root.innerHTML = '<p data-part="question" data-id="2">Which?</p><p data-part="permission" data-id="1">Run it?</p>';
  announce();
  assert.equal(region.textContent, "Which?");
});

test("the end of a turn is told once", () => {
  const region = show("<div></div>");
  const told = createTurnTeller(region);
  told({ busy: false, outcome: "completed" });
  assert.equal(region.textContent, "", "it had ended before");
  told({ busy: true });
  told({ busy: false, outcome: "aborted" });
  assert.equal(region.textContent, "The turn was stopped.");
  told({ busy: true });
  assert.equal(region.textContent, "");
});

test("a notice of Python is shown once, and stays away when it was dismissed", () => {
  const notices = { show: mock.fn(), hide: mock.fn() };
  const tell = createNoticeTeller(notices, mock.fn());
  const notice = { n: 1, text: "x", level: "error", again: null };
  for (const given of [notice, notice, { ...notice, n: 2, level: "info" }]) tell(given);
  assert.deepEqual(notices.show.mock.calls.map((call) => call.arguments[2].alert), [true, false]);
  tell(null);
  assert.deepEqual(notices.hide.mock.calls.map((call) => call.arguments), [["notice"]]);
});

test("titles and times are as short as can be", (t) => {
  const now = Date.UTC(2026, 5, 1, 12);
  t.mock.timers.enable({ apis: ["Date"], now });
  assert.deepEqual([titleOf(), titleOf({ title: "New session - 2026-06-01T12:00" }), titleOf({ title: "Mine" })],
    ["New session", "New session", "Mine"]);
  const before = (minutes) => ago(now - minutes * 60_000);
  assert.deepEqual([ago(undefined), before(0.2), before(59), before(60), before(23 * 60)], ["", "just now", "59 min ago", "1 h ago", "23 h ago"]);
  assert.equal(before(48 * 60), new Date(now - 48 * 3_600_000).toLocaleDateString());
});

test("a meter has a percentage only for a known window", () => {
  assert.deepEqual(meterText({ tokens: 1200, window: 32000, share: 0.0375, cost: 0.0312 }),
    { percent: "4%", tokens: (1200).toLocaleString(), detail: `Context: ${(1200).toLocaleString()} of ${(32000).toLocaleString()} tokens (4%). Cost: $0.0312` });
  assert.deepEqual(meterText({ tokens: 5, window: 0, cost: 2 }), { percent: "", tokens: "5", detail: "Context: 5 tokens. Cost: $2.00" });
});

test("a model is found by all words in its id, name or provider", () => {
  const model = { id: "demo/large-2", name: "Demo Large", provider: "Acme" };
  assert.deepEqual(["", "acme LARGE", "demo/l", "acme small"].map((words) => matchesModel(words, model)), [true, true, true, false]);
});

test("outside git an undo asks first, for the session that was shown", () => {
  const client = { tell: mock.fn() };
  const notices = { confirm: mock.fn() };
  const undo = createUndo({ client, notices });
  undo.show({ session: { id: "ses_1" }, git: true });
  undo.from("msg_1");
  assert.deepEqual(client.tell.mock.calls[0].arguments, ["undo", { session: "ses_1", message: "msg_1" }]);
  undo.show({ session: { id: "ses_1" }, git: null });
  undo.from("msg_1");
  assert.equal(client.tell.mock.callCount(), 2, "it is not known yet");
  undo.show({ session: { id: "ses_1" }, git: false });
  undo.from();
  assert.equal(client.tell.mock.callCount(), 2);
  undo.show({ session: { id: "ses_2" }, git: false });
  notices.confirm.mock.calls[0].arguments[2]();
  assert.deepEqual(client.tell.mock.calls[2].arguments, ["undo", { session: "ses_1", message: undefined }]);
});

test("a refused undo can be done anyway", () => {
  const tell = mock.fn();
  assert.equal(anyway(null, tell), undefined);
  const [label, run] = anyway({ kind: "redo", force: true }, tell);
  run();
  assert.equal(label, "Redo anyway");
  assert.deepEqual(tell.mock.calls[0].arguments, ["redo", { kind: "redo", force: true }]);
});

function notices() {
  const leave = mock.fn();
  const made = createNotices({ leave });
  document.body.append(made.box);
  return { ...made, leave, texts: () => [...made.box.children].map((line) => line.dataset.text ?? line.ariaLabel) };
}

test("a notice takes the place of the one with its key, and keeps its focus", () => {
  const { box, show: put, hide, leave, texts } = notices();
  put("a", "one");
  put("b", "two", { alert: true, lasting: true });
  assert.deepEqual([...box.children].map((line) => line.getAttribute("role")), ["status", "alert"]);
  assert.ok(!box.contains(document.activeElement), "a notice takes no focus by itself");
  box.querySelector("button").focus();
  put("a", "three");
  assert.deepEqual(texts(), ["two", "three"]);
  assert.ok(box.lastElementChild.contains(document.activeElement));
  hide("b");
  assert.equal(leave.mock.callCount(), 0);
  hide("a");
  assert.equal(leave.mock.callCount(), 1, "the line that went had the focus");
});

test("a question has the focus on Cancel, and Escape withdraws it", () => {
  const { box, confirm } = notices();
  const run = mock.fn();
  const before = show("<button></button>");
  box.parentNode.append(before);
  before.focus();
  confirm("Really?", "Delete", run);
  assert.equal(document.activeElement.textContent, "Cancel");
  press(document.activeElement, "Escape");
  assertFocus(before);
  assert.deepEqual([box.children.length, run.mock.callCount()], [0, 0]);
  confirm("Really?", "Delete", run);
  confirm("Really now?", "Delete", run);
  assert.equal(box.children.length, 1, "one question at a time");
  [...box.querySelectorAll("button")].find((button) => button.textContent === "Delete").click();
  assert.deepEqual([box.children.length, run.mock.callCount()], [0, 1]);
});

test("folds are opened all at once, and closed if all are open", () => {
  const root = show("<div><details open><summary>a</summary></details><details><summary>b</summary></details></div>");
  const clicked = [];
  root.addEventListener("click", ({ target }) => {
    clicked.push(target.textContent);
  });
  assert.equal(toggleFolds(root, "details"), true);
  assert.deepEqual(clicked.splice(0), ["b"]);
  toggleFolds(root, "details");
  assert.deepEqual(clicked, ["a", "b"]);
  assert.equal(toggleFolds(root, "table"), false);
});
