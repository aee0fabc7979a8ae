// What is found, and where.

import assert from "node:assert/strict";
import { test } from "node:test";

import { matchesOf } from "../../opencode_nb/static/chat/search.js";
import { placesOf } from "../../opencode_nb/static/core/matches.js";

test("each match of each turn is one step", () => {
  assert.deepEqual(matchesOf([{ message: "a", count: 2 }, { message: "b", count: 1 }]), [
    { message: "a", nth: 0 }, { message: "a", nth: 1 }, { message: "b", nth: 0 }]);
});

test("words are found in any case, without overlaps", () => {
  assert.deepEqual(placesOf("Ab aB ab", "AB"), [0, 3, 6]);
  assert.deepEqual(placesOf("aaaa", "aa"), [0, 2]);
  assert.deepEqual(placesOf("abc", ""), []);
});

test("places are right beside letters that grow when they are folded", () => {
  assert.deepEqual(placesOf("\u0130\u0130 ab", "ab"), [3]);
});
