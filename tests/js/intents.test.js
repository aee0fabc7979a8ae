import assert from "node:assert/strict";
import fs from "node:fs";
import { beforeEach, test } from "node:test";

import { assertFocus, clear, press, show } from "./dom.js";
import { answersIn, answersOf, isAnswered } from "../../opencode_nb/static/live/asking.js";
import { listenForIntents, submitByEnter } from "../../opencode_nb/static/live/intents.js";

const PROTOCOL = JSON.parse(fs.readFileSync(new URL("../render/wire_protocol.json", import.meta.url), "utf8"));
const FORM = `<form data-intent="question" data-id="que_1">
  <fieldset><input type="radio" name="a" value="CSV"><input type="radio" name="a" value="JSON">
    <input type="radio" name="a" value="" data-own=""><input type="text" name="own"></fieldset>
  <fieldset><input type="checkbox" value="time"><input type="checkbox" value="value"><input type="text"></fieldset>
  <button type="submit">Answer</button></form>`;

beforeEach(clear);

function listening(html) {
  const root = show(`<section>${html}</section>`);
  const sent = [];
  const view = new AbortController();
  listenForIntents(root, (message) => sent.push(message), view.signal);
  return { root, sent, view };
}

for (const { name, html, message } of PROTOCOL.intents) {
  test(`wire protocol: ${name}`, () => {
    const { root, sent } = listening(html);
    const form = root.querySelector("form");
    const button = root.querySelector("button");
    const submits = form && button.type === "submit";
    (submits ? form : button).dispatchEvent(new Event(submits ? "submit" : "click", { bubbles: true, cancelable: true }));
    assert.deepEqual(sent, [message]);
  });
}

test("a click inside an intent counts, with the data but for the page's own", () => {
  const { root, sent } = listening('<a data-key="k" data-intent="go" data-id="1" data-lm-suppress-shortcuts="true"><b>x</b></a>');
  const event = new Event("click", { bubbles: true, cancelable: true });
  root.querySelector("b").dispatchEvent(event);
  assert.deepEqual(sent, [{ kind: "go", id: "1" }]);
  assert.equal(event.defaultPrevented, true);
});

test("a click beside an intent, or in its form, sends nothing", () => {
  const { root, sent } = listening('<p>x</p><form data-intent="question"><b>y</b></form>');
  for (const node of root.querySelectorAll("p, b")) node.dispatchEvent(new Event("click", { bubbles: true }));
  assert.deepEqual(sent, []);
});

test("nothing is sent after the view has ended", () => {
  const { root, sent, view } = listening('<button data-intent="stop"></button>');
  view.abort();
  root.querySelector("button").dispatchEvent(new Event("click", { bubbles: true }));
  assert.deepEqual(sent, []);
});

test("answers are what is chosen, and own text", () => {
  const form = show(FORM);
  const [radios, boxes] = form.querySelectorAll("fieldset");
  const [, json, own] = radios.querySelectorAll("[type=radio]");
  json.checked = true;
  radios.querySelector("[name=own]").value = "Parquet";
  for (const box of boxes.querySelectorAll("[type=checkbox]")) box.checked = true;
  boxes.querySelector("[type=text]").value = "  and the unit ";
  assert.deepEqual(answersOf(form), [["JSON"], ["time", "value", "and the unit"]]);
  json.checked = false;
  own.checked = true;
  assert.deepEqual(answersIn(radios), ["Parquet"]);
});

test("a form is answered when each question with a single answer is", () => {
  const form = show(FORM);
  const [radios, boxes] = form.querySelectorAll("fieldset");
  assert.equal(isAnswered(form), false);
  boxes.querySelector("input").checked = true;
  assert.equal(isAnswered(form), false, "the question with a single answer is open");
  radios.querySelector("input").checked = true;
  assert.equal(isAnswered(form), true);
  boxes.querySelector("input").checked = false;
  assert.equal(isAnswered(form), true, "of several choices none need be made");
  radios.remove();
  assert.equal(isAnswered(form), false, "but there must be an answer at all");
});

test("Enter goes to the first open question, and sends the form when there is none", () => {
  const root = show(`<section>${FORM}</section>`);
  const form = root.querySelector("form");
  let submitted = 0;
  form.requestSubmit = () => { submitted += 1; };
  submitByEnter(root, new AbortController().signal);
  const [first, last] = form.querySelectorAll("[type=text]");
  first.value = "Parquet";
  form.querySelector("[data-own]").checked = true;
  assert.equal(press(first, "Enter").defaultPrevented, true);
  assertFocus(form.querySelector("[value=time]"));
  assert.equal(submitted, 0);
  press(last, "Enter");
  assert.equal(submitted, 1, "whether the last question needs an answer is not decided here");
  last.value = "all";
  press(last, "Enter", { isComposing: true });
  assert.equal(submitted, 1, "an input method's Enter only completes a word");
  press(last, "Enter");
  assert.equal(submitted, 2);
});
