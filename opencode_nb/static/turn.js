// The live view of one turn. Python renders; this file patches nodes by key and reports clicks. It never edits the
// transcript. The wire protocol is in tests/render/wire_protocol.json, which both languages' tests assert.

const HELLO_AT_MS = [0, 300, 1000]; // a page's first messages wait for the running cell: say hello until one passes
const TICK_MS = 1000;

/** The one place where a string becomes markup: all of it was escaped by opencode_nb/render. */
function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

/** Follows the folds that a person set, so that a patched card stays as it was left. Lives as long as the view. */
function createFolds(root, signal) {
  const chosen = new Map();
  root.addEventListener("click", (event) => {
    const details = event.target.closest("summary")?.parentElement;
    if (details?.dataset.fold) chosen.set(details.dataset.fold, !details.open);
  }, { signal });
  return (fragment) => {
    for (const details of fragment.querySelectorAll("details[data-fold]")) {
      if (chosen.has(details.dataset.fold)) details.open = chosen.get(details.dataset.fold);
    }
  };
}

/** Patches the nodes below `root` by key. `keys` finds nodes, `sources` holds what the last splice or put set. */
export function createPage(root, applyFolds = () => {}) {
  const nodes = new Map();
  const sources = new Map();

  const forget = (node) => {
    for (const inner of [node, ...node.querySelectorAll("[data-key]")]) {
      if (nodes.get(inner.dataset.key) === inner) {
        nodes.delete(inner.dataset.key);
        sources.delete(inner.dataset.key);
      }
    }
  };
  const learn = (fragment) => {
    applyFolds(fragment);
    for (const node of fragment.querySelectorAll("[data-key]")) nodes.set(node.dataset.key, node);
  };
  const refocus = (before, after) => {
    const { intent, id, reply } = before.dataset;
    const same = [...after.querySelectorAll("[data-intent]")].find(
      ({ dataset }) => dataset.intent === intent && dataset.id === id && dataset.reply === reply);
    (same ?? after.querySelector("summary"))?.focus({ preventScroll: true });
  };
  const replace = (old, fragment) => {
    const focused = old.contains(document.activeElement) ? document.activeElement : null;
    const fresh = fragment.firstElementChild;
    forget(old);
    learn(fragment);
    old.replaceWith(fragment);
    if (focused) refocus(focused, fresh);
  };

  const operations = {
    put(key, parent, html, before) {
      const fragment = parse(html);
      const old = nodes.get(key);
      if (old) return replace(old, fragment);
      learn(fragment);
      const home = nodes.get(parent) ?? root;
      const next = nodes.get(before);
      home.insertBefore(fragment, next?.parentNode === home ? next : null);
    },
    text(key, string) {
      nodes.get(key)?.append(string);
    },
    splice(key, keep, html) {
      const node = nodes.get(key);
      if (!node) return;
      const source = (sources.get(key) ?? "").slice(0, keep) + html;
      sources.set(key, source);
      const fragment = parse(source);
      learn(fragment);
      node.replaceChildren(fragment);
    },
    drop(key) {
      const node = nodes.get(key);
      if (!node) return;
      forget(node);
      node.remove();
    },
  };

  return {
    patch(ops) {
      for (const [name, ...rest] of ops) operations[name]?.(...rest);
    },
    reset(html) {
      nodes.clear();
      sources.clear();
      nodes.set("root", root);
      const fragment = parse(html);
      learn(fragment);
      root.replaceChildren(fragment);
    },
  };
}

/** Seconds as a person reads them. */
function clock(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

function tick(root) {
  const now = Date.now();
  for (const node of root.querySelectorAll("[data-since]")) node.textContent = clock(now - Number(node.dataset.since));
  for (const node of root.querySelectorAll("[data-until]")) node.textContent = clock(Number(node.dataset.until) - now);
}

/** A question's form -> one list of answers for each question: chosen labels, or one's own words. */
function answersOf(form) {
  const answers = [];
  for (const box of form.querySelectorAll("fieldset")) {
    const chosen = [...box.querySelectorAll("input:checked")].map((input) => input.value);
    const own = [...box.querySelectorAll("input[type=text]")].map((input) => input.value.trim()).filter(Boolean);
    answers.push([...chosen, ...own]);
  }
  return answers;
}

function listenForIntents(root, send, signal) {
  root.addEventListener("click", (event) => {
    const target = event.target.closest("button[data-intent]");
    if (!target) return;
    const { intent, ...rest } = target.dataset;
    if (target.type === "submit") return;
    event.preventDefault();
    send({ ...rest, kind: intent });
  }, { signal });
  root.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-intent]");
    if (!form) return;
    event.preventDefault();
    send({ kind: form.dataset.intent, id: form.dataset.id, answers: answersOf(form) });
  }, { signal });
}

/** Applies what Python sends in order; a gap in the numbers means that something was missed: ask for it whole. */
function createReceiver(model, page, send) {
  let last = -1;
  let asked = false;
  return {
    hello: () => send({ kind: "hello", n: last }),
    snapshot() {
      const { n = 0, html = "" } = model.get("snapshot") ?? {};
      if (n <= last && !asked) return;
      last = n;
      asked = false;
      page.reset(html);
    },
    message({ kind, n, ops, id }) {
      if (kind === "ping") return send({ kind: "pong", id, n: last });
      if (kind !== "patch" || n <= last) return undefined;
      if (n === last + 1) {
        last = n;
        return page.patch(ops);
      }
      if (!asked) send({ kind: "snapshot" });
      asked = true;
      return undefined;
    },
  };
}

function render({ model, el, signal }) {
  const own = new AbortController();
  signal?.addEventListener("abort", () => own.abort(), { once: true });
  const root = document.createElement("div");
  root.className = "opencode-nb";
  root.dataset.view = "turn";
  root.dataset.key = "root";
  el.append(root);

  const send = (message) => model.send(message);
  const page = createPage(root, createFolds(root, own.signal));
  const receiver = createReceiver(model, page, send);
  const onSnapshot = () => receiver.snapshot();
  const onMessage = (message) => receiver.message(message);
  model.on("change:snapshot", onSnapshot);
  model.on("msg:custom", onMessage);
  listenForIntents(root, send, own.signal);
  receiver.snapshot();

  const timers = HELLO_AT_MS.map((ms) => setTimeout(receiver.hello, ms));
  const ticker = setInterval(() => tick(root), TICK_MS);
  return () => {
    own.abort();
    timers.forEach(clearTimeout);
    clearInterval(ticker);
    model.off("change:snapshot", onSnapshot);
    model.off("msg:custom", onMessage);
  };
}

export default { render };
