import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { assertFocus, clear, press, settled, show } from "./dom.js";
import { keepWithheld, withhold } from "../../opencode_nb/static/core/buttons.js";
import { createCombobox, createSearch } from "../../opencode_nb/static/menus/combobox.js";
import { createListbox, moved } from "../../opencode_nb/static/menus/listbox.js";
import { createMenu, movedInMenu } from "../../opencode_nb/static/menus/menu.js";

beforeEach(clear);

const items = (...labels) => labels.map((label) => ({ label }));

test("arrows wrap around, pages stop at the ends", () => {
  const to = (key, active) => moved(key, active, 20);
  assert.deepEqual([to("ArrowDown", -1), to("ArrowDown", 0), to("ArrowDown", 19)], [0, 1, 0]);
  assert.deepEqual([to("ArrowUp", 0), to("ArrowUp", 5)], [19, 4]);
  assert.deepEqual([to("PageDown", 3), to("PageDown", 15), to("PageUp", 3), to("PageUp", 15)], [11, 19, 0, 7]);
  assert.equal(to("a", 3), undefined);
});

function listbox(...labels) {
  const field = show("<input>");
  const chosen = [];
  const opened = [];
  const box = createListbox({ field, label: "Things", choose: (item) => chosen.push(item.label), changed: (open) => opened.push(open) });
  document.body.append(box.list);
  box.show(items(...labels));
  const selected = () => box.list.querySelector("[aria-selected=true]")?.textContent;
  field.addEventListener("keydown", (event) => box.key(event));
  return { ...box, field, chosen, opened, selected };
}

test("the field names the active option, and Enter chooses it", () => {
  const { list, field, chosen, opened, selected } = listbox("one", "two", "three");
  assert.equal(selected(), "one");
  press(field, "ArrowDown");
  assert.equal(selected(), "two");
  assert.equal(field.getAttribute("aria-activedescendant"), list.children[1].id);
  assert.equal(press(field, "Enter").defaultPrevented, true);
  assert.deepEqual([chosen, opened, list.hidden], [["two"], [true, false], true]);
  assert.equal(field.hasAttribute("aria-activedescendant"), false);
});

test("Tab chooses, Shift+Tab and letters do not, Escape closes", () => {
  const { list, field, chosen } = listbox("one", "two");
  assert.equal(press(field, "Tab", { shiftKey: true }).defaultPrevented, false);
  assert.equal(press(field, "x").defaultPrevented, false);
  assert.equal(press(field, "ArrowDown", { isComposing: true }).defaultPrevented, false);
  press(field, "Escape");
  assert.deepEqual([chosen, list.hidden], [[], true]);
  assert.equal(press(field, "Enter").defaultPrevented, false, "a closed list takes no keys");
  const again = listbox("one");
  press(again.field, "Tab");
  assert.deepEqual(again.chosen, ["one"]);
});

test("an empty list is closed", () => {
  assert.equal(listbox().list.hidden, true);
});

function search(costly) {
  const asked = [];
  const shown = [];
  const made = createSearch({
    costly,
    load: (words) => new Promise((resolve, reject) => asked.push({ words, resolve, reject })),
    show: (found) => shown.push(found),
    fail: (error) => shown.push(error.message),
  });
  return { asked, shown, search: made, words: () => asked.map(({ words }) => words) };
}

test("only the answer to the last search is shown, whatever comes first", async () => {
  const { asked, shown, search: made } = search(false);
  made.typed("a");
  made.typed("ab");
  asked[1].resolve(["for ab"]);
  await settled();
  asked[0].resolve(["for a"]);
  await settled();
  assert.deepEqual(shown, [["for ab"]]);
  made.close();
});

test("a search that has been closed shows nothing, not even its failure", async () => {
  const { asked, shown, search: made } = search(false);
  made.typed("a");
  made.close();
  asked[0].reject(new Error("no"));
  await settled();
  assert.deepEqual(shown, []);
  made.open();
  asked[1].reject(new Error("really no"));
  await settled();
  assert.deepEqual(shown, ["really no"]);
});

test("a costly search starts with the first letter and after a pause", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { search: made, words } = search(true);
  for (const text of ["a", "ab", "abc"]) made.typed(text);
  assert.deepEqual(words(), ["a"]);
  t.mock.timers.tick(149);
  assert.deepEqual(words(), ["a"]);
  t.mock.timers.tick(1);
  assert.deepEqual(words(), ["a", "abc"]);
});

test("a search is behind until the list is for what was typed", async () => {
  const { asked, search: made } = search(false);
  assert.equal(made.behind, false);
  made.typed("a");
  assert.equal(made.behind, true);
  asked[0].resolve([]);
  await settled();
  assert.equal(made.behind, false);
  made.close();
});

test("a combobox searches, chooses and shows what is chosen", async () => {
  const chosen = [];
  const { box, field, set } = createCombobox({
    label: "Model",
    nothing: "Nothing here",
    load: async (words) => items("large", "small").filter(({ label }) => label.includes(words)),
    choose: (item) => chosen.push(item.label),
  });
  document.body.append(box);
  set("now");
  field.value = "sm";
  field.dispatchEvent(new Event("input"));
  await settled();
  press(field, "Enter");
  assert.deepEqual([chosen, field.value], [["small"], "now"]);
  field.value = "xl";
  field.dispatchEvent(new Event("input"));
  await settled();
  assert.equal(box.querySelector("[role=status]").textContent, "Nothing here");
  press(field, "Escape");
  assert.deepEqual([box.querySelector("[role=status]").hidden, field.value], [true, "now"]);
});

test("Tab never chooses from a list for other words", async () => {
  const chosen = [];
  const { box, field } = createCombobox({
    label: "Model", nothing: "", load: async (words) => items(`for ${words}`), choose: (item) => chosen.push(item.label),
  });
  document.body.append(box);
  const type = (words) => {
    field.value = words;
    field.dispatchEvent(new Event("input"));
  };
  type("a");
  await settled();
  type("ab");
  assert.equal(press(field, "Tab").defaultPrevented, false, "it leaves the field, as ever");
  assert.deepEqual(chosen, []);
  await settled();
  press(field, "Tab");
  assert.deepEqual(chosen, ["for ab"]);
  field.dispatchEvent(new Event("blur"));
});

test("keys of a menu wrap around", () => {
  assert.deepEqual(["ArrowDown", "ArrowUp", "Home", "End"].map((key) => movedInMenu(key, 0, 3)), [1, 2, 0, 2]);
  assert.equal(movedInMenu("ArrowDown", 2, 3), 0);
  assert.equal(movedInMenu("a", 0, 3), undefined);
});

test("a menu opens on its first entry, and gives the focus back", () => {
  const ran = [];
  const button = show('<button aria-label="More"></button>');
  const box = createMenu(button, () => ["one", "two"].map((label) => ({ label, run: () => ran.push(label) })));
  document.body.append(box);
  press(button, "ArrowDown");
  assert.equal(document.activeElement.textContent, "one");
  press(document.activeElement, "ArrowUp");
  assert.equal(document.activeElement.textContent, "two");
  document.activeElement.click();
  assert.deepEqual(ran, ["two"]);
  assertFocus(button);
  button.click();
  press(document.activeElement, "Escape");
  assertFocus(button);
  assert.equal(button.getAttribute("aria-expanded"), "false");
});

test("what is withheld says why and does nothing, until it is given back", () => {
  const ran = [];
  const button = show("<button>More</button>");
  const menu = createMenu(button, () => ["one", "two"].map((label) => ({
    label, run: () => ran.push(label), why: label === "two" ? "There is none." : "",
  })));
  document.body.append(menu);
  keepWithheld(menu, new AbortController().signal);
  button.click();
  const [one, two] = menu.querySelectorAll("[role=menuitem]");
  two.click();
  assert.deepEqual([ran, two.ariaDisabled, two.ariaDescription, two.title], [[], "true", "There is none.", "There is none."]);
  one.click();
  withhold(two, "", "Do it");
  two.click();
  assert.deepEqual([ran, two.ariaDisabled, two.ariaDescription, two.title], [["one", "two"], null, null, "Do it"]);
});
