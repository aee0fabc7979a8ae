// What every view shares: nodes are patched by key, folds and focus are kept, clicks are reported, and what was lost on
// the way is asked for. Python renders; no view edits the transcript. The wire protocol is in
// tests/render/wire_protocol.json, which both languages' tests assert.

import { ASKING, answersIn, answersOf, createAskingGuard } from "./asking.js";

const HELLO_AT_MS = [0, 300, 1000]; // a page's first messages wait for the running cell: say hello until one passes
const ASK_AGAIN_MS = 2000; // a request for a snapshot can be lost, too
const TICK_MS = 1000;
const QUICK_MS = 1000; // what ends before needs no clock: it would only flicker
const TOLD_LENGTH = 200; // characters of a request that a screen reader is told; the rest is there to be read

const FOCUSABLE = "a[href], button, input, textarea, select, summary";
export const UNSEEN = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap";

/** The one place where a string becomes markup: all of it was escaped by opencode_nb/render. */
function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

/** Folds that a person has set, and how to set them on what comes anew. They live as long as the view. */
function createFolds(root, signal) {
  const chosen = new Map();
  root.addEventListener("click", (event) => {
    const details = event.target.closest("summary")?.parentElement;
    if (details?.dataset.fold) chosen.set(details.dataset.fold, !details.open);
  }, { signal });
  return (fragment) => {
    for (const details of fragment.querySelectorAll("details[data-fold]")) {
      details.open = chosen.get(details.dataset.fold) ?? details.open;
    }
  };
}

/** What a person who uses the keyboard takes for the same button, link or fold after it was drawn anew. */
function identity(node) {
  const { intent, id, reply } = node.dataset;
  const { fold } = node.parentElement.dataset;
  return JSON.stringify([node.tagName, intent, id, reply, fold, node.name, node.value, node.href]);
}

const placeOf = (node) => node.closest("[data-key]")?.dataset.key;

/** Runs `change` on nodes inside `root`; focus that it takes away goes to what has come for it, else to the root. */
function keepFocus(root, change) {
  const focused = root.getRootNode().activeElement;
  const wanted = focused !== root && root.contains(focused) ? identity(focused) : null;
  const place = wanted && placeOf(focused); // one button may stand in many cards
  change();
  if (wanted === null || root.contains(focused)) return;
  const same = [...root.querySelectorAll(FOCUSABLE)].filter((node) => identity(node) === wanted);
  const best = same.find((node) => placeOf(node) === place) ?? same[0] ?? root;
  best.focus({ preventScroll: true });
}

/** Patches the nodes below `root` by key; `prepare` is given each fragment before it is shown. */
function createPage(root, prepare = () => {}) {
  const nodes = new Map([["root", root]]);
  const sources = new Map(); // key -> the markup that the last splice made

  const forget = (parent) => {
    for (const node of parent.querySelectorAll("[data-key]")) {
      nodes.delete(node.dataset.key);
      sources.delete(node.dataset.key);
    }
  };
  const learn = (html) => {
    const fragment = parse(html);
    prepare(fragment);
    for (const node of fragment.querySelectorAll("[data-key]")) nodes.set(node.dataset.key, node);
    return fragment;
  };
  const fill = (node, html) => {
    forget(node);
    node.replaceChildren(learn(html));
  };

  const operations = {
    put(key, parent, html, before) {
      const old = nodes.get(key);
      if (old) {
        forget(old);
        sources.delete(key);
        old.replaceWith(learn(html));
        return;
      }
      const home = nodes.get(parent);
      const next = nodes.get(before);
      home?.insertBefore(learn(html), next?.parentNode === home ? next : null);
    },
    text(key, string) {
      nodes.get(key)?.append(string);
    },
    splice(key, keep, html) {
      const node = nodes.get(key);
      if (!node) return;
      const source = (sources.get(key) ?? "").slice(0, keep) + html;
      fill(node, source);
      sources.set(key, source);
    },
    drop(key) {
      const node = nodes.get(key);
      if (!node) return;
      forget(node);
      nodes.delete(key);
      sources.delete(key);
      node.remove();
    },
  };

  return {
    patch: (ops) => keepFocus(root, () => {
      for (const [name, ...rest] of ops) operations[name]?.(...rest);
    }),
    reset: (html) => keepFocus(root, () => fill(root, html)),
  };
}

/** A span of time as a person reads it. */
function clock(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** Brings the clocks in `scope` up to date: how long since, or until, a time in ms of the epoch. */
function tick(scope) {
  const now = Date.now();
  for (const node of scope.querySelectorAll("[data-since]")) {
    const passed = now - Number(node.dataset.since);
    node.textContent = passed < QUICK_MS ? "" : clock(passed);
  }
  for (const node of scope.querySelectorAll("[data-until]")) node.textContent = clock(Number(node.dataset.until) - now);
}

/**
 * Tells a screen reader at once, and once, that the agent asks; the transcript itself would be read over and over. A
 * request is known by its own id: keys begin again with the next session in the same view.
 */
function createAnnouncer(root, region) {
  const told = new Set();
  return () => {
    const fresh = [...root.querySelectorAll(ASKING)].filter(({ dataset }) => !told.has(dataset.id));
    if (!fresh.length) return;
    for (const { dataset } of fresh) told.add(dataset.id);
    region.textContent = fresh.map((card) => card.innerText.replace(/\s+/g, " ").slice(0, TOLD_LENGTH)).join(" ");
  };
}

/**
 * Jupyter has a shortcut on nearly every key, and some delete cells: give them back to what has the focus, if it
 * `matches`. JupyterLab looks for the attribute at that element only, Notebook before any listener here hears of the
 * key; and both take Shift+Enter's new line away, by a listener for what it is about to do.
 */
export function keepKeys(root, signal, matches = "input, textarea, select, button") {
  root.addEventListener("focusin", ({ target }) => {
    if (target.matches(matches)) target.dataset.lmSuppressShortcuts = "";
  }, { signal });
  root.addEventListener("beforeinput", (event) => event.stopPropagation(), { capture: true, signal });
}

/** Enter sends a form, but not before all its questions are answered: it goes on to the first that is not. */
function submitByEnter(root, signal) {
  root.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing || !event.target.matches('input[type="text"]')) return;
    event.preventDefault();
    const here = event.target.closest("fieldset");
    const open = [...event.target.form?.querySelectorAll("fieldset") ?? []]
      .find((box) => box !== here && !answersIn(box).length);
    if (open) open.querySelector("input")?.focus();
    else event.target.form?.requestSubmit();
  }, { signal });
}

function listenForIntents(root, send, signal) {
  root.addEventListener("click", (event) => {
    const target = event.target.closest("[data-intent]:not(form)");
    if (!target) return;
    event.preventDefault();
    const { intent, key, lmSuppressShortcuts, ...rest } = target.dataset;
    send({ ...rest, kind: intent });
  }, { signal });
  root.addEventListener("submit", (event) => {
    event.preventDefault();
    const { intent, id } = event.target.dataset;
    if (intent) send({ kind: intent, id, answers: answersOf(event.target) });
  }, { signal });
}

/** Takes in what Python sends, in order; what is missing in the numbers was lost on the way: ask for all of it. */
function createReceiver(model, page, send) {
  let last = -1; // number of the batch up to which the page is complete
  let askedAt = -Infinity;
  const ask = () => {
    if (Date.now() - askedAt < ASK_AGAIN_MS) return;
    askedAt = Date.now();
    send({ kind: "snapshot" });
  };
  const kinds = {
    patch({ n, ops }) {
      if (n <= last) return;
      if (n > last + 1) return ask();
      last = n;
      page.patch(ops);
    },
    ping({ n, id }) {
      if (n > last) return ask();
      if (id) send({ kind: "pong", id });
    },
  };
  return {
    hello: () => send({ kind: "hello" }),
    message: (content) => kinds[content.kind]?.(content),
    snapshot() {
      const { n = -1, html } = model.get("snapshot") ?? {};
      if (n <= last) return; // a view that is complete keeps what a person types and unfolds in it
      last = n;
      askedAt = -Infinity;
      page.reset(html);
    },
  };
}

export function createElement(parent, attributes) {
  const element = document.createElement("div");
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  parent.append(element);
  return element;
}

/**
 * Shows the model's view in `root` for as long as `signal` lasts: patches and snapshots in, hello and intents out.
 * `listeners` are more of the model's events; each is called after the page has taken the event in. `lost` is called where
 * nothing can be sent any more, as after a restart of the kernel.
 */
export function live({ model, root, region, signal, listeners = {}, lost = (error) => { throw error; } }) {
  const send = (message) => {
    try {
      model.send(message);
    } catch (error) {
      lost(error);
    }
  };
  const applyFolds = createFolds(root, signal);
  const guard = createAskingGuard(root, signal);
  const page = createPage(root, (fragment) => {
    applyFolds(fragment);
    guard.prepare(fragment);
    tick(fragment);
  });
  const receiver = createReceiver(model, page, send);
  const announce = createAnnouncer(root, region);
  listenForIntents(root, send, signal);
  keepKeys(root, signal);
  submitByEnter(root, signal);
  const onChange = (event, change) => on(model, signal, event, (content) => guard.around(() => change(content)));

  onChange("change:snapshot", () => { receiver.snapshot(); announce(); });
  onChange("msg:custom", (content) => { receiver.message(content); announce(); });
  for (const [event, listener] of Object.entries(listeners)) onChange(event, listener);
  guard.around(receiver.snapshot);
  announce();
  const timers = HELLO_AT_MS.map((ms) => setTimeout(receiver.hello, ms));
  const ticker = setInterval(() => tick(root), TICK_MS);
  signal.addEventListener("abort", () => {
    timers.forEach(clearTimeout);
    clearInterval(ticker);
  });
}

/** Listens to the model until `signal` aborts. */
export function on(model, signal, event, listener) {
  model.on(event, listener);
  signal.addEventListener("abort", () => model.off(event, listener));
}

/** An AbortController that ends with the view: by anywidget's own signal, or by the cleanup that `render` returns. */
export function lifetime(signal) {
  const view = new AbortController();
  signal?.addEventListener("abort", () => view.abort(), { once: true, signal: view.signal });
  return view;
}
