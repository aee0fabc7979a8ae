import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { clear, press, show } from "./dom.js";
import { promptsIn } from "../../opencode_nb/static/chat/chat.js";
import { tokenAt } from "../../opencode_nb/static/composer/completion.js";
import { messageOf } from "../../opencode_nb/static/composer/composer.js";
import { createDrafts, joinDrafts } from "../../opencode_nb/static/composer/drafts.js";
import { createHistory } from "../../opencode_nb/static/composer/history.js";
import { createMessageText } from "../../opencode_nb/static/composer/message_text.js";

beforeEach(clear);

// --- drafts ---

test("a text that came back stands above what was written, but a command below it", () => {
  assert.equal(joinDrafts("back", "new"), "back\n\nnew");
  assert.equal(joinDrafts("", "new"), "new");
  assert.equal(joinDrafts("back", ""), "back");
  assert.equal(joinDrafts("!ls", "new"), "new\n\n!ls");
  assert.equal(joinDrafts("/help", "new"), "new\n\n/help");
});

test("drafts are kept by session, and survive a reload of the page", () => {
  const drafts = createDrafts();
  drafts.set("a", "one");
  drafts.set("b", "two");
  assert.deepEqual([drafts.get("a"), drafts.get("b"), drafts.get("c")], ["one", "two", ""]);
  assert.deepEqual([createDrafts().get("a"), createDrafts().get("b")], ["one", "two"]);
  drafts.set("a", "");
  assert.equal(createDrafts().get("a"), "");
});

test("messages that have not arrived survive a reload, with the draft", () => {
  const drafts = createDrafts();
  const first = drafts.leaves("a", "first");
  const second = drafts.leaves("a", "second");
  drafts.set("a", "draft");
  assert.equal(createDrafts().get("a"), "first\n\nsecond\n\ndraft");
  assert.equal(drafts.get("a"), "draft", "the page itself has them under way");
  first();
  assert.equal(createDrafts().get("a"), "second\n\ndraft");
  second();
  assert.equal(createDrafts().get("a"), "draft");
});

test("without storage drafts live as long as the page", () => {
  const storage = globalThis.sessionStorage;
  Object.defineProperty(globalThis, "sessionStorage", { get() { throw new Error("denied"); }, configurable: true });
  try {
    const drafts = createDrafts();
    drafts.set("a", "one");
    assert.deepEqual([drafts.get("a"), drafts.get("b")], ["one", ""]);
  } finally {
    Object.defineProperty(globalThis, "sessionStorage", { value: storage, configurable: true, writable: true });
  }
});

// --- history ---

function history(...messages) {
  const field = show("<textarea></textarea>");
  const rows = { isOne: false };
  const made = createHistory(field, () => messages, (text) => {
    field.value = text;
    field.setSelectionRange(text.length, text.length);
  }, () => rows.isOne);
  field.addEventListener("keydown", (event) => {
    if (made.key(event)) event.preventDefault();
  });
  const up = () => {
    field.setSelectionRange(0, 0);
    return press(field, "ArrowUp").defaultPrevented;
  };
  const down = () => {
    field.setSelectionRange(field.value.length, field.value.length);
    return press(field, "ArrowDown").defaultPrevented;
  };
  return { ...made, field, up, down, rows };
}

test("Up shows earlier messages, Down later ones, then what was being written", () => {
  const { field, up, down } = history("first", "second");
  field.value = "draft";
  const seen = [up, up].map((go) => go() && field.value);
  assert.deepEqual(seen, ["second", "first"]);
  assert.equal(up(), false, "there is nothing earlier");
  assert.deepEqual([down, down].map((go) => go() && field.value), ["second", "draft"]);
  assert.equal(down(), false);
});

test("Up inside a text, and with another key, moves the cursor as ever", () => {
  const { field } = history("first");
  field.value = "two\nlines";
  field.setSelectionRange(5, 5);
  assert.equal(press(field, "ArrowUp").defaultPrevented, false);
  field.setSelectionRange(0, 0);
  assert.equal(press(field, "ArrowUp", { shiftKey: true }).defaultPrevented, false);
  assert.equal(field.value, "two\nlines");
});

test("Up in the only row shows an earlier message, wherever the cursor is", () => {
  const { field, rows } = history("first");
  field.value = "draft";
  field.setSelectionRange(3, 3);
  assert.equal(press(field, "ArrowUp").defaultPrevented, false);
  rows.isOne = true;
  field.setSelectionRange(1, 3);
  assert.equal(press(field, "ArrowUp").defaultPrevented, false, "a selection is left first");
  field.setSelectionRange(3, 3);
  assert.equal(press(field, "ArrowUp").defaultPrevented, true);
  assert.equal(field.value, "first");
});

test("leaving the history brings the draft back; a change of an earlier message makes it the draft", () => {
  const { field, up, leave, reset } = history("first");
  field.value = "draft";
  up();
  leave();
  assert.equal(field.value, "draft");
  up();
  reset();
  leave();
  assert.equal(field.value, "first");
});

// --- completion ---

test("commands and mentions are completed at the cursor only", () => {
  const token = (text, at = text.length) => tokenAt({ value: text, selectionStart: at, selectionEnd: at });
  assert.equal(token("/he"), "/he");
  assert.equal(token("say /he"), "");
  assert.equal(token("/help me"), "");
  assert.equal(token("see @src/ma"), "@src/ma");
  assert.equal(token("(@a"), "@a");
  assert.equal(token("me@home"), "");
  assert.equal(token("@a b"), "");
  assert.equal(token('see @"my file'), '@"my file');
  assert.equal(token('see @"my dir/"x'), '@"my dir/"x');
  assert.equal(token("see @src now", 8), "@src");
  assert.equal(token("!cat @a"), "", "a shell command is the shell's");
  assert.equal(tokenAt({ value: "@ab", selectionStart: 0, selectionEnd: 3 }), "", "a selection is replaced, not completed");
});

// --- messages ---

test("a text with ! at its beginning is a shell command", () => {
  assert.deepEqual(messageOf(" hello ", "queue"), { mode: "queue", text: "hello" });
  assert.deepEqual(messageOf("! ls -l ", "auto"), { mode: "shell", text: "ls -l" });
  assert.deepEqual(messageOf(" !ls", "auto"), { mode: "auto", text: "!ls" });
});

test("a space before a slash stays: Python takes the text for prose then", () => {
  assert.deepEqual(messageOf("/undo \n", "queue"), { mode: "queue", text: "/undo" });
  assert.deepEqual(messageOf(" /undo is a command\n", "auto"), { mode: "auto", text: " /undo is a command" });
});

test("earlier messages are those of the log, each once in a row", () => {
  const root = show('<div><div data-part="prompt"><p class="oc-plain">one</p></div><p class="oc-prompt oc-plain">one</p>'
    + '<p class="oc-prompt oc-plain"></p><p class="oc-prompt oc-plain">two</p><p class="oc-plain">no</p></div>');
  assert.deepEqual(promptsIn(root), ["one", "two"]);
});

function messageText({ files = false } = {}) {
  const field = show("<textarea></textarea>");
  const text = createMessageText({ field, earlier: () => ["earlier"], changed() {}, hasFiles: () => files });
  text.open("ses_1", "");
  const type = (value) => {
    field.value = value;
    field.setSelectionRange(value.length, value.length);
    text.typed();
  };
  return { field, text, type };
}

test("each session has its own text", () => {
  const { field, text, type } = messageText();
  type("one");
  text.open("ses_2", "");
  assert.equal(field.value, "");
  type("two");
  text.open("ses_1", "");
  assert.deepEqual([field.value, text.session], ["one", "ses_1"]);
});

test("another session is opened with its draft, not with an earlier message", () => {
  const { field, text, type } = messageText();
  type("draft");
  field.setSelectionRange(0, 0);
  assert.equal(text.key(new KeyboardEvent("keydown", { key: "ArrowUp" })), true);
  assert.equal(field.value, "earlier");
  text.open("ses_2", "");
  text.open("ses_1", "");
  assert.equal(field.value, "draft");
});

test("what could not be sent comes back beside what was written, and the cursor stays in that", () => {
  const { field, text, type } = messageText();
  type("lost");
  const arrived = text.send();
  assert.equal(field.value, "");
  type("meanwhile");
  field.setSelectionRange(4, 4);
  arrived();
  text.giveBack("ses_1", "lost");
  assert.equal(field.value, "lost\n\nmeanwhile");
  assert.equal(field.selectionStart, "lost\n\nmean".length);
  text.giveBack("ses_2", "other");
  assert.equal(field.value, "lost\n\nmeanwhile");
  text.open("ses_2", "");
  assert.equal(field.value, "other");
});

test("an undone message is offered where nothing else is written, and goes when it comes back", () => {
  const { field, text, type } = messageText();
  text.offer("undone");
  assert.equal(field.value, "undone");
  text.offer("");
  assert.equal(field.value, "");
  text.offer("undone");
  type("my own");
  text.offer("");
  assert.equal(field.value, "my own");
  text.offer("undone");
  assert.equal(field.value, "my own");
  for (const [files, offered] of [[false, "undone"], [true, "  "]]) {
    const blank = messageText({ files });
    blank.type("  ");
    blank.text.offer("undone");
    assert.equal(blank.field.value, offered, "files without words are a message, too");
  }
});
