// The chat panel: the log and its docks as every live view has them (view.js), and around them what a person works with.
// What is shown of the session comes from the trait `state`; drafts, open lists and where one looks live only here.

import { createAnswerTools } from "./answer_tools.js";
import { noteNotebook, saveNotebook } from "../core/jupyter.js";
import { GONE, createClient } from "./client.js";
import { createComposer } from "./composer.js";
import { make, update } from "../core/dom.js";
import { createNotices } from "./notices.js";
import { createPickers } from "./pickers.js";
import { createQueue } from "./queue.js";
import { createScroll } from "./scroll.js";
import { createSessionBar } from "./sessions.js";
import { anyway, createUndo } from "./undo.js";
import { UNSEEN, createElement, keepKeys, lifetime, live, on } from "../core/view.js";

const PANEL = { class: "opencode-nb", "data-view": "chat" };
const TOOLS_AFTER_MS = 200; // buttons of code need not be there while it streams

/** All keys are a person's own in the panel, but the one that saves the notebook. */
function keepPanelKeys(panel, signal) {
  keepKeys(panel, signal, "*");
  panel.addEventListener("keydown", (event) => {
    const saves = (event.ctrlKey || event.metaKey) && !event.shiftKey && event.key === "s";
    if (saves && saveNotebook(panel)) event.preventDefault();
  }, { signal });
}

function takeDrops(panel, drop, signal) {
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  const over = (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    event.stopPropagation();
    panel.classList.toggle("chat-dropping", event.type === "dragover");
    if (event.type === "drop") drop(event.dataTransfer.files);
  };
  for (const kind of ["dragover", "dragleave", "drop"]) panel.addEventListener(kind, over, { signal });
}

const ENDS = { completed: "The agent is done.", aborted: "The turn was stopped.", error: "The turn failed." };

/** Says politely, once, how the agent's work has ended: who listens to something else hears that it is their turn. */
function createTurnTeller(region) {
  let worked = false;
  return ({ busy, outcome }) => {
    if (worked && !busy) region.textContent = ENDS[outcome] ?? ENDS.completed;
    if (busy) region.textContent = "";
    worked = Boolean(busy);
  };
}

function showConnection(notices, client, { state, error } = {}) {
  if (!state || state === "connected") return notices.hide("connection");
  const text = state === "lost" ? "The connection to OpenCode is lost." : "Connecting to OpenCode again\u2026";
  return notices.show("connection", [text, error].filter(Boolean).join(" "),
    { lasting: true, action: ["Reconnect", () => client.tell("reconnect")] });
}

/** Shows what Python wants told beside its answers, each once: what was dismissed stays away. */
function createNoticeTeller(notices, tell) {
  let told = 0;
  return (notice) => {
    if (!notice) notices.hide("notice");
    else if (notice.n !== told) {
      notices.show("notice", notice.text, { alert: notice.level === "error", action: anyway(notice.again, tell) });
    }
    told = notice?.n ?? told;
  };
}

/** What earlier messages said, oldest first. */
function promptsIn(root) {
  const texts = [...root.querySelectorAll("[data-part=prompt] .oc-plain, .oc-prompt.oc-plain")].map((node) => node.textContent);
  return texts.filter((text, index) => text && text !== texts[index - 1]);
}

function createWelcome(root) {
  const where = make("div", { class: "chat-muted" });
  const box = make("div", { class: "chat-welcome", hidden: true },
    make("div", { class: "chat-welcome-title" }, "What shall we work on?"),
    make("div", { class: "chat-muted" }, "The agent reads and edits the project\u2019s files and runs commands; it asks first."), where);
  return {
    box,
    show(state) {
      update(where, { textContent: state.session?.directory ?? "" });
      update(box, { hidden: root.querySelector("[role=log] > article") !== null });
    },
  };
}

/** Runs `change` at most every `ms`, the last time after all that came. */
function throttle(change, ms, signal) {
  let timer = 0;
  signal.addEventListener("abort", () => clearTimeout(timer));
  return () => {
    if (timer) return;
    timer = setTimeout(() => {
      timer = 0;
      change();
    }, ms);
  };
}

function render({ model, el, signal }) {
  const view = lifetime(signal);
  const panel = createElement(el, PANEL);
  const root = make("div", { "data-key": "root", class: "chat-root" });
  const notices = createNotices({ leave: () => composer.field.focus() });
  const report = {
    failed: (message, again) => notices.show("failed", message || "That did not work.", { alert: true, action: anyway(again, client.tell) }),
    slow: (slow) => (slow
      ? notices.show("slow", "The kernel has not answered yet. It may be running a cell, or have been restarted: then run the panel\u2019s cell again.")
      : notices.hide("slow")),
  };
  const client = createClient({ model, signal: view.signal, report });
  const scroll = createScroll({ root, signal: view.signal, latest: () => client.tell("latest") });
  const undo = createUndo({ client, notices });
  const bar = createSessionBar({ client, notices, undo, focusMessage: () => composer.field.focus() });
  const pickers = createPickers({ client });
  const queue = createQueue({
    client, notices, signal: view.signal,
    giveBack: (session, text) => composer.giveBack(session, text), focusMessage: () => composer.field.focus(),
  });
  const welcome = createWelcome(root);
  const composer = createComposer({
    client, notices, signal: view.signal, earlier: () => promptsIn(root), sent: scroll.follow, pickers: pickers.fields,
  });
  const urgent = make("div", { "aria-live": "assertive", style: UNSEEN });
  const polite = make("div", { "aria-live": "polite", style: UNSEEN });
  const body = make("div", { class: "chat-body" }, root, welcome.box, scroll.jump);
  panel.append(bar.bar, body, notices.box, queue.box, composer.box, urgent, polite);

  const tellTurn = createTurnTeller(polite);
  const tellNotice = createNoticeTeller(notices, client.tell);
  const showState = () => {
    const state = model.get("state") ?? {};
    for (const part of [bar, undo, scroll, composer, pickers, queue, welcome]) part.show(state);
    showConnection(notices, client, state.connection);
    tellNotice(state.notice);
    tellTurn(state);
  };
  const addTools = throttle(createAnswerTools({
    panel, root, model, notices, client, undo, say: (text) => { polite.textContent = text; },
  }), TOOLS_AFTER_MS, view.signal);
  let focused = false;
  const before = () => {
    scroll.before();
    focused = root.contains(root.getRootNode().activeElement);
  };
  const after = () => {
    scroll.after();
    welcome.show(model.get("state") ?? {});
    addTools();
    if (focused && !panel.contains(panel.getRootNode().activeElement)) composer.field.focus({ preventScroll: true });
  };

  noteNotebook(panel, model, view.signal);
  keepPanelKeys(panel, view.signal);
  takeDrops(panel, composer.drop, view.signal);
  for (const event of ["msg:custom", "change:snapshot"]) on(model, view.signal, event, before);
  live({ model, root, region: urgent, signal: view.signal, lost: () => report.failed(GONE), listeners: {
    "msg:custom": after, "change:snapshot": after, "change:state": showState,
  } });
  showState();
  after();
  return () => view.abort();
}

export default { render };
