import assert from "node:assert/strict";
import fs from "node:fs";
import { beforeEach, test } from "node:test";

import { assertFocus, assertNodes, clear, show } from "./dom.js";
import { createFolds, createPage } from "../../opencode_nb/static/live/patches.js";

const PROTOCOL = JSON.parse(fs.readFileSync(new URL("../render/wire_protocol.json", import.meta.url), "utf8"));

beforeEach(clear);

function page(html = "", prepare = undefined) {
  const root = show('<section tabindex="-1" data-key="root"></section>');
  const made = createPage(root, prepare);
  made.reset(html);
  return { root, ...made };
}

for (const { name, start, batches, html } of PROTOCOL.patches) {
  test(`wire protocol: ${name}`, () => {
    const { root, patch } = page(start);
    for (const ops of batches) patch(ops);
    assert.equal(root.innerHTML, show(`<section>${html}</section>`).innerHTML);
  });
}

test("unknown operations and keys change nothing", () => {
  const { root, patch } = page('<p data-key="p">x</p>');
  patch([["shout", "p"], ["text", "q", "x"], ["splice", "q", 0, "x"], ["drop", "q"], ["put", "r", "q", "<i></i>"]]);
  assert.equal(root.innerHTML, '<p data-key="p">x</p>');
});

test("put replaces a node in its place, and keeps its neighbours as they are", () => {
  const { root, patch } = page('<p data-key="a">1</p><p data-key="b">2</p><p data-key="c">3</p>');
  const [first, , last] = root.children;
  patch([["put", "b", "root", '<p data-key="b">new</p>']]);
  assert.equal(root.textContent, "1new3");
  assertNodes([root.firstElementChild, root.lastElementChild], [first, last]);
});

test("put stands before the named node only if that is in the same place", () => {
  const { root, patch } = page('<div data-key="a"><b data-key="b"></b></div><div data-key="c"></div>');
  patch([["put", "x", "root", '<i data-key="x"></i>', "c"], ["put", "y", "root", '<u data-key="y"></u>', "b"]]);
  assert.deepEqual([...root.children].map((node) => node.dataset.key), ["a", "x", "c", "y"]);
});

test("a splice keeps the beginning of the markup it made, and starts again after a put or snapshot", () => {
  const { root, patch, reset } = page('<div data-key="p"></div>');
  patch([["splice", "p", 0, "<b>one</b>"], ["splice", "p", 6, " two</b>"]]);
  assert.equal(root.innerHTML, '<div data-key="p"><b>one two</b></div>');
  patch([["put", "p", "root", '<div data-key="p">x</div>'], ["splice", "p", 3, "y"]]);
  assert.equal(root.innerHTML, '<div data-key="p">y</div>');
  patch([["splice", "p", 0, "long"]]);
  reset('<div data-key="p">z</div>');
  patch([["splice", "p", 4, "w"]]);
  assert.equal(root.innerHTML, '<div data-key="p">w</div>');
});

test("what a splice removed is unknown afterwards", () => {
  const { root, patch } = page('<div data-key="p"></div><div data-key="q"></div>');
  patch([["splice", "p", 0, '<b data-key="i">old</b>'], ["splice", "p", 0, "new"], ["put", "i", "q", '<b data-key="i">again</b>']]);
  assert.equal(root.innerHTML, '<div data-key="p">new</div><div data-key="q"><b data-key="i">again</b></div>');
});

test("each fragment is prepared before it is shown", () => {
  const seen = [];
  const { patch } = page('<p data-key="p"></p>', (fragment) => seen.push([fragment.textContent, fragment.isConnected]));
  patch([["put", "p", "root", '<p data-key="p">a</p>'], ["splice", "p", 0, "b"], ["text", "p", "c"]]);
  assert.deepEqual(seen, [["", false], ["a", false], ["b", false]]);
});

test("the focus stays on what replaces its node, in the same card", () => {
  const card = (key) => `<div data-key="${key}"><button data-intent="stop">Stop</button></div>`;
  const { root, patch } = page(card("a") + card("b"));
  root.querySelector('[data-key="b"] button').focus();
  patch([["put", "b", "root", card("b")]]);
  assertFocus(root.querySelector('[data-key="b"] button'));
});

test("the focus goes to the root if nothing replaces its node", () => {
  const { root, patch } = page('<div data-key="a"><button data-intent="stop">Stop</button></div>');
  root.querySelector("button").focus();
  patch([["drop", "a"]]);
  assertFocus(root);
});

test("folds stay as the user has set them", () => {
  const root = show('<section><details data-fold="a" open><summary>a</summary></details></section>');
  const view = new AbortController();
  const apply = createFolds(root, view.signal);
  const open = (html) => {
    const fragment = document.createElement("div");
    fragment.innerHTML = html;
    apply(fragment);
    return [...fragment.querySelectorAll("details")].map((details) => details.open);
  };
  const both = '<details data-fold="a" open></details><details data-fold="b" open></details>';
  assert.deepEqual(open(both), [true, true]);
  root.querySelector("summary").dispatchEvent(new Event("click", { bubbles: true }));
  assert.deepEqual(open(both), [false, true]);
});
