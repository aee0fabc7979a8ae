// A page for the tests: happy-dom's, with the names that browsers make global.

import assert from "node:assert/strict";

import { Window } from "happy-dom";

const window = new Window({ url: "http://localhost/" });
const NAMES = [
  "document", "sessionStorage", "navigator", "Node", "Event", "KeyboardEvent", "MouseEvent", "AbortController",
  "HTMLElement", "HTMLDetailsElement", "ResizeObserver", "requestAnimationFrame", "cancelAnimationFrame",
];

globalThis.window = window;
for (const name of NAMES) Object.defineProperty(globalThis, name, { value: window[name], configurable: true, writable: true });

/** Empty the page and its storage. */
export function clear() {
  document.body.replaceChildren();
  sessionStorage.clear();
}

/** Show markup on the page; return its first element. */
export function show(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const node = template.content.firstElementChild;
  document.body.append(template.content);
  return node;
}

/** Compare nodes by identity. assert.equal would print a whole page for two that differ, which takes minutes. */
export function assertNodes(actual, expected) {
  const wrong = expected.findIndex((node, index) => actual[index] !== node);
  const shown = (node) => node?.outerHTML ?? String(node);
  assert.ok(wrong < 0, `node ${wrong} is ${shown(actual[wrong])}, not ${shown(expected[wrong])}`);
  assert.equal(actual.length, expected.length);
}

/** Assert that a node has the focus. */
export function assertFocus(node) {
  assertNodes([document.activeElement], [node]);
}

/** Press a key on a node; return the event. */
export function press(node, key, init = {}) {
  const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...init });
  node.dispatchEvent(event);
  return event;
}

/** Let promises that are settled go on. */
export async function settled() {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

/** A model with anywidget's face: `sent` is what the page has sent, `tell` an event for its listeners. */
export function makeModel(traits = {}) {
  const listeners = [];
  return {
    sent: [],
    get: (name) => traits[name],
    set: (name, value) => { traits[name] = value; },
    on: (event, listener) => listeners.push({ event, listener }),
    off: (event, listener) => {
      const index = listeners.findIndex((one) => one.event === event && one.listener === listener);
      if (index >= 0) listeners.splice(index, 1);
    },
    send(message) { this.sent.push(message); },
    tell(event, content) { for (const one of [...listeners]) if (one.event === event) one.listener(content); },
    get listening() { return listeners.length; },
  };
}
