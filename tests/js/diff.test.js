import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

import { assertFocus, assertNodes, clear, press, show } from "./dom.js";
import { isCurrent } from "../../opencode_nb/static/diff/bodies.js";
import { createDraft, lineName } from "../../opencode_nb/static/diff/comments.js";
import { pathInLab } from "../../opencode_nb/static/diff/links.js";
import { hasWords, treeMove, wordsIn } from "../../opencode_nb/static/diff/tree.js";
import { createWalk, nextLine, nextStop, placeSelector, stopsIn } from "../../opencode_nb/static/diff/walk.js";

beforeEach(clear);

const change = (index, hunk, ...lines) => `<div class="oc-change" data-hunk="${hunk}" tabindex="-1">`
  + `${lines.map((at) => `<p class="oc-added" data-at="${at}">${index}${at}</p>`).join("")}</div>`;
const section = (index, changes, { version = "1", open = true } = {}) => `<details class="oc-section" data-index="${index}"`
  + ` data-file="${index}.py"${open ? " open" : ""}><summary data-goto="${index}" data-version="1" tabindex="0">${index}</summary>`
  + `<div class="oc-body" data-version="${version}">${changes}</div></details>`;
const DIFF = section(0, change(0, "0a", "n1", "n2") + change(0, "0b", "o7")) + section(1, change(1, "1a", "n3"));

function diff(html = DIFF) {
  return show(`<section data-key="root" tabindex="-1"><div class="oc-files" data-commenting="true">${html}</div></section>`);
}

const named = (nodes) => nodes.map((node) => node?.dataset.hunk ?? node?.dataset.goto);

test("a walk stops at each change, and at files that show none", () => {
  const root = diff(DIFF + section(2, change(2, "2a", "n1"), { version: "0" }) + section(3, change(3, "3a", "n1"), { open: false }));
  assert.deepEqual(named(stopsIn(root)), ["0a", "0b", "1a", "2", "3"]);
  root.querySelector(".oc-section").hidden = true;
  assert.deepEqual(named(stopsIn(root)), ["1a", "2", "3"]);
});

test("a file is current when its body has its version", () => {
  assert.equal(isCurrent(diff(section(0, "")).querySelector("details")), true);
  assert.equal(isCurrent(diff(section(0, "", { version: "0" })).querySelector("details")), false);
});

test("the next stop is the nearest in that direction, from wherever the focus is", () => {
  const root = diff();
  const stops = stopsIn(root);
  assert.deepEqual(named([nextStop(stops, null, 1), nextStop(stops, null, -1)]), ["0a", "1a"]);
  assert.deepEqual(named([nextStop(stops, stops[0], 1), nextStop(stops, stops[2], -1)]), ["0b", "0b"]);
  assertNodes([nextStop(stops, stops[2], 1)], [undefined]);
  const line = root.querySelector('[data-at="n2"]');
  assert.deepEqual(named([nextStop(stops, line, 1)]), ["0b"]);
  assertNodes([nextStop(stops, line, -1)], [undefined]); // the change that the line is in is no step back
});

test("lines go through all changes of a file, and begin at the change that has the focus", () => {
  const root = diff();
  const [first, second] = root.querySelectorAll(".oc-change");
  const at = (node) => node?.dataset.at;
  assert.deepEqual([at(nextLine(first, 1)), at(nextLine(second, 1)), at(nextLine(second, -1)), at(nextLine(first, -1))],
    ["n1", "o7", "n2", undefined]);
  const [one, two, seven] = root.querySelectorAll("[data-at]");
  assertNodes([nextLine(one, 1), nextLine(two, 1), nextLine(seven, 1), nextLine(seven, -1)], [two, seven, undefined, two]);
});

test("what has the focus is found again by its name", () => {
  const root = diff();
  for (const node of [root.querySelector('[data-at="o7"]'), root.querySelector('[data-hunk="1a"]'), root.querySelector("summary")]) {
    assertNodes([root.querySelector(placeSelector(node))], [node]);
  }
  assert.equal(placeSelector(root), null);
});

function walking(html) {
  const root = diff(html);
  const bodies = { want: mock.fn() };
  const walk = createWalk(root, bodies, new AbortController().signal);
  root.focus();
  return { root, bodies, walk, key: (name) => press(document.activeElement, name).defaultPrevented };
}

test("keys walk from change to change, file to file and line to line", () => {
  const { key } = walking();
  const where = (name) => key(name) && (document.activeElement.dataset.at ?? named([document.activeElement])[0]);
  assert.deepEqual(["n", "n", "n", "p", "ArrowDown", "ArrowUp", "]", "[", "k"].map(where), ["0a", "0b", "1a", "0b", "o7", "n2", "1", "0", "0"]);
});

test("a step into a file that is not loaded goes on when it is", () => {
  const { root, bodies, walk, key } = walking(section(0, change(0, "0a", "n1")) + section(1, "", { version: "0" }));
  key("n");
  key("n");
  const file = root.querySelectorAll("details")[1];
  assertNodes(bodies.want.mock.calls.map((call) => call.arguments[0]), [file]);
  assertFocus(file.querySelector("summary"));
  const body = file.querySelector("div");
  body.innerHTML = change(1, "1a", "n1");
  body.dataset.version = "1";
  walk.refresh();
  assert.deepEqual(named([document.activeElement]), ["1a"]);
});

test("the focus comes back to a change that was drawn again", () => {
  const { root, walk, key } = walking();
  key("n");
  root.querySelector(".oc-body").innerHTML = change(0, "0a", "n1");
  root.focus();
  walk.refresh();
  assertFocus(root.querySelector('[data-hunk="0a"]'));
});

test("letters in a field are no steps", () => {
  const { root } = walking(`<input class="oc-filter">${DIFF}`);
  root.querySelector("input").focus();
  assert.equal(press(document.activeElement, "n").defaultPrevented, false);
  assertFocus(root.querySelector("input"));
});

test("a filter wants all of its words, in any case", () => {
  assert.deepEqual(wordsIn("  Src  TEST "), ["src", "test"]);
  assert.equal(hasWords("src/Test_a.py", ["src", "test"]), true);
  assert.equal(hasWords("src/a.py", ["src", "test"]), false);
  assert.equal(hasWords("anything", []), true);
});

test("keys of the tree move, fold and unfold as in every tree", () => {
  const tree = show('<ul role="tree"><li role="treeitem" aria-expanded="true" id="dir"><ul><li role="treeitem" id="a"></li>'
    + '<li role="treeitem" id="b"></li></ul></li><li role="treeitem" aria-expanded="false" id="shut"></li></ul>');
  const items = [...tree.querySelectorAll("[role=treeitem]")];
  for (const item of items) item.ariaExpanded = item.getAttribute("aria-expanded");
  const [dir, a, b, shut] = items;
  const to = (key, item) => treeMove(key, item, items);
  assertNodes([to("ArrowDown", dir), to("ArrowUp", b), to("Home", b), to("End", a)], [a, a, dir, shut]);
  assertNodes([to("ArrowUp", dir), to("ArrowDown", shut), to("x", a)], [null, null, null]);
  assertNodes([to("ArrowLeft", dir), to("ArrowRight", shut)], [true, false]); // folds and unfolds
  assertNodes([to("ArrowRight", dir), to("ArrowLeft", a), to("ArrowRight", a)], [a, dir, null]);
});

test("a file's path below JupyterLab's root", () => {
  assert.equal(pathInLab("/home/ada/work/a b.py", "~/work", "/home/ada"), "a b.py");
  assert.equal(pathInLab("/home/ada/work/a.py", "/home/ada/work/", ""), "a.py");
  assert.equal(pathInLab("/home/ada/workshop/a.py", "/home/ada/work", ""), null);
});

test("a comment is written on the line that has the focus, and sent by Ctrl+Enter", () => {
  const root = diff();
  const sent = [];
  const walk = { focus: mock.fn() };
  createDraft(root, walk, (message) => sent.push(message), new AbortController().signal);
  const row = root.querySelector('[data-at="o7"]');
  assert.equal(press(row, "c").defaultPrevented, true);
  const field = document.activeElement;
  assert.equal(field.getAttribute("aria-label"), "Comment on removed line 7 of 0.py");
  field.value = " Why? ";
  press(field, "Enter");
  assert.deepEqual(sent, [], "Enter alone is a new line");
  press(field, "Enter", { ctrlKey: true });
  assert.deepEqual(sent, [{ kind: "comment", id: "0", at: "o7", text: "Why?" }]);
  assertNodes([root.querySelector("textarea")], [null]);
  assertNodes(walk.focus.mock.calls.map((call) => call.arguments[0]), [row]);
});

test("a draft stays when its line is drawn again", () => {
  const root = diff();
  const draft = createDraft(root, { focus() {} }, () => {}, new AbortController().signal);
  press(root.querySelector('[data-hunk="0a"]'), "c");
  document.activeElement.value = "half";
  root.querySelector(".oc-body").innerHTML = change(0, "0a", "n1", "n2");
  draft.refresh();
  const form = root.querySelector(".oc-draft");
  assert.equal(form.previousElementSibling.dataset.at, "n1");
  assert.equal(form.querySelector("textarea").value, "half");
  assert.equal(lineName("n12"), "line 12");
});
