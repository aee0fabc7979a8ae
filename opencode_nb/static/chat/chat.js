// The chat panel: the log and its docks as in every live view (live/live.js), and the controls around them. What is
// shown of the session comes from the trait `state`; drafts, open lists and the scroll position live only here.

/** @import { View } from "../core/types.js" */
/** @import { Notice, State } from "./types.js" */
/** @import { Client, Report } from "./client.js" */
/** @import { Notices } from "./notices.js" */

import { createAnswerTools } from "./answer_tools.js";
import { GONE, createClient } from "./client.js";
import { createComposer } from "../composer/composer.js";
import { createKernelAccess } from "./kernel_access.js";
import { createMcpServers } from "./mcp_servers.js";
import { createNotices } from "./notices.js";
import { createPickers } from "./pickers.js";
import { createQueue } from "./queue.js";
import { createResults } from "./results.js";
import { createScroll } from "./scroll.js";
import { createFinder } from "./search.js";
import { createSessionBar, titleOf } from "./sessions.js";
import { createSetup } from "./setup.js";
import { anyway, createUndo } from "./undo.js";
import { UNSEEN, keepKeys } from "../live/accessibility.js";
import { keepWithheld } from "../core/buttons.js";
import { activeIn, isComposing, make, query, queryAll, targetOf, update } from "../core/dom.js";
import { followSelection, noteNotebook, saveNotebook } from "../core/jupyter.js";
import { cellRunner, createDisabler, watchKernel } from "../core/kernel.js";
import { live } from "../live/live.js";
import { lifetime, on } from "../core/model.js";
import { initializeSaved, keepOutput } from "../live/saved_output.js";

const TOOLS_AFTER_MS = 200; // code needs no buttons yet while it streams
const CONTROLS = "button, select, input";

/**
 * Keep all keys for the panel, except the one that saves the notebook. The one that searches does so in the panel.
 *
 * @param {HTMLElement} panel
 * @param {() => void} find
 * @param {AbortSignal} signal
 */
function keepPanelKeys(panel, find, signal) {
  keepKeys(panel, signal, "*");
  panel.addEventListener("keydown", (event) => {
    const key = (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey ? event.key : "";
    if (key === "s" && saveNotebook(panel)) event.preventDefault();
    if (key !== "f") return;
    event.preventDefault();
    find();
  }, { signal });
}

const OWN_ESCAPE = "select, form input, form textarea"; // a list of the browser's own, and the answer to a request

/**
 * Stop the running turn on Escape. What is open closes first: it keeps the key for itself.
 *
 * @param {HTMLElement} panel
 * @param {{ isBusy: () => boolean, stop: () => unknown }} turn
 * @param {AbortSignal} signal
 */
function stopOnEscape(panel, { isBusy, stop }, signal) {
  panel.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.defaultPrevented || isComposing(event) || targetOf(event).matches(OWN_ESCAPE)) return;
    if (!isBusy()) return;
    event.preventDefault();
    stop();
  }, { signal });
}

/**
 * Take files that are dropped on the panel.
 *
 * @param {HTMLElement} panel
 * @param {(files: FileList) => void} drop
 * @param {AbortSignal} signal
 */
function takeDrops(panel, drop, signal) {
  /** @param {Event} event */
  const over = (event) => {
    const { dataTransfer } = /** @type {DragEvent} */ (event);
    if (!dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    event.stopPropagation();
    panel.classList.toggle("chat-dropping", event.type === "dragover");
    if (event.type === "drop") drop(dataTransfer.files);
  };
  for (const kind of ["dragover", "dragleave", "drop"]) panel.addEventListener(kind, over, { signal });
}

/** @type {Record<string, string>} */
const ENDS = { completed: "The agent is done.", aborted: "The turn was stopped.", error: "" }; // the error itself is an alert

/**
 * Say politely, once, how a turn has ended: a screen reader may be reading something else.
 *
 * @param {HTMLElement} region a polite live region
 * @returns {(state: State) => void}
 */
export function createTurnTeller(region) {
  let worked = false;
  return ({ busy, outcome = "" }) => {
    if (worked && !busy) region.textContent = ENDS[outcome] ?? ENDS.completed ?? "";
    if (busy) region.textContent = "";
    worked = Boolean(busy);
  };
}

/**
 * Show while the connection to the server is lost.
 *
 * @param {Notices} notices
 * @param {Client} client
 * @param {State["connection"]} connection
 */
function showConnection(notices, client, { state, error } = {}) {
  if (!state || state === "connected") return notices.hide("connection");
  const text = state === "lost" ? "The connection to OpenCode is lost." : "Reconnecting to OpenCode\u2026";
  return notices.show("connection", [text, error].filter(Boolean).join(" "),
    { lasting: true, action: ["Reconnect", () => client.tell("reconnect")] });
}

/**
 * Show while the kernel cannot be reached.
 *
 * @param {Notices} notices
 * @param {HTMLElement} panel
 * @param {boolean} connected
 */
function showKernel(notices, panel, connected) {
  if (connected) return notices.hide("kernel");
  for (const key of ["connection", "failed", "slow"]) notices.hide(key);
  const run = cellRunner(panel);
  return notices.show("kernel", GONE, { alert: true, lasting: true, action: run && ["Rerun cell", run] });
}

/**
 * Show that another session waits for an answer, and the way to it.
 *
 * @param {Notices} notices
 * @param {Client} client
 * @param {State["elsewhere"]} sessions
 */
export function showElsewhere(notices, client, sessions = []) {
  const [first] = sessions;
  if (!first) return notices.hide("elsewhere");
  const others = sessions.length > 1 ? ` (and ${sessions.length - 1} more)` : "";
  return notices.show("elsewhere", `Another session waits for your answer: ${titleOf(first)}${others}`,
    { lasting: true, action: ["Open it", () => client.tell("open", { session: first.id })] });
}

/**
 * Show each notice of Python once: what the user has dismissed stays away.
 *
 * @param {Notices} notices
 * @param {Client["tell"]} tell
 * @returns {(notice: Notice | null | undefined) => void}
 */
export function createNoticeTeller(notices, tell) {
  let told = 0;
  return (notice) => {
    if (!notice) notices.hide("notice");
    else if (notice.n !== told) {
      notices.show("notice", notice.text, { alert: notice.level === "error", action: anyway(notice.again, tell) });
    }
    told = notice?.n ?? told;
  };
}

/**
 * Collect what earlier messages said, oldest first.
 *
 * @param {HTMLElement} root
 */
export function promptsIn(root) {
  const texts = queryAll(root, "[data-part=prompt] .oc-plain, .oc-prompt.oc-plain").map((node) => node.textContent ?? "");
  return texts.filter((text, index) => text && text !== texts[index - 1]);
}

/** @param {HTMLElement} root */
function createWelcome(root) {
  const where = make("div", { class: "chat-muted" });
  const box = make("div", { class: "chat-welcome", hidden: true },
    make("div", { class: "chat-welcome-title" }, "What shall we work on?"),
    make("div", { class: "chat-muted" }, "The agent reads and edits the project\u2019s files and runs commands; it asks first."), where);
  return {
    box,
    /** @param {State} state */
    show(state) {
      update(where, { textContent: state.session?.directory ?? "" });
      update(box, { hidden: Boolean(state.setup) || query(root, "[role=log] > article") !== null });
    },
  };
}

/**
 * Run `change` at most every `ms`, the last time after all calls.
 *
 * @param {() => void} change
 * @param {number} ms
 * @param {AbortSignal} signal
 */
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

/**
 * Make the controls of the panel and put them into it.
 *
 * @param {object} options
 * @param {HTMLElement} options.panel
 * @param {HTMLElement} options.root
 * @param {Client} options.client
 * @param {Notices} options.notices
 * @param {AbortSignal} options.signal
 */
function createControls({ panel, root, client, notices, signal }) {
  const focusMessage = () => composer.field.focus();
  const scroll = createScroll({ root, signal, latest: () => client.tell("latest") });
  const undo = createUndo({ client, notices });
  const search = createFinder({ root, client, signal, leave: focusMessage, moved: scroll.moved });
  const bar = createSessionBar({ client, notices, undo, focusMessage, find: search.open });
  const pickers = createPickers({ client, focusMessage });
  const access = createKernelAccess({ client, signal });
  const queue = createQueue({
    client, notices, signal, giveBack: (session, text) => composer.giveBack(session, text), focusMessage,
  });
  const welcome = createWelcome(root);
  const setup = createSetup({ client, notices, focusMessage });
  const composer = createComposer({
    client, notices, signal, earlier: () => promptsIn(root), sent: scroll.follow, pickers: [...pickers.fields, access.box],
    selected: followSelection(panel, signal),
  });
  const urgent = make("div", { "aria-live": "assertive", style: UNSEEN });
  const polite = make("div", { "aria-live": "polite", style: UNSEEN });
  /** @param {string} text */
  const say = (text) => { polite.textContent = text; };
  const servers = createMcpServers({ client, notices, say, focusMessage });
  const body = make("div", { class: "chat-body" }, root, welcome.box, scroll.jump);
  panel.append(bar.bar, search.bar, body, setup.box, servers.box, notices.box, queue.box, composer.box, urgent, polite);
  const controls = [bar.bar, setup.box, servers.box, queue.box, composer.box];
  const disablers = [createDisabler(root), ...controls.map((box) => createDisabler(box, CONTROLS))];
  /** @param {boolean} connected */
  const disable = (connected) => {
    for (const one of disablers) one(connected);
    composer.field.readOnly = !connected;
    panel.classList.toggle("oc-dead", !connected);
  };
  const openers = { ...bar.openers, ...pickers.openers, commands: composer.suggest, mcps: servers.open };
  const parts = [bar, undo, search, scroll, composer, pickers, access, queue, welcome, setup];
  return { scroll, undo, welcome, composer, search, urgent, polite, say, disable, openers, parts };
}

/** @param {View} view */
function renderChat({ model, el, signal: ended }) {
  const view = lifetime(ended);
  const { signal } = view;
  const panel = make("div", { class: "opencode-nb", "data-view": "chat" });
  el.append(panel);
  const root = make("div", { "data-key": "root", class: "chat-root" });
  const notices = createNotices({ leave: () => composer.field.focus() });
  /** @type {Report} */
  const report = {
    failed: (message, again) => (message === GONE
      ? kernel.ended()
      : notices.show("failed", message || "That did not work.", { alert: true, action: anyway(again, client.tell) })),
    slow: (slow) => (slow
      ? notices.show("slow", "The kernel has not answered yet. It may be running a cell.")
      : notices.hide("slow")),
    did: (result) => showResult(result),
  };
  const client = createClient({ model, signal, report });
  const controls = createControls({ panel, root, client, notices, signal });
  const { scroll, undo, welcome, composer, search, urgent, polite, say, disable, openers, parts } = controls;
  const showResult = createResults({ root, client, notices, say, openers });
  const kernel = watchKernel({ model, node: panel, signal, show(connected) {
    disable(connected);
    client.setConnected(connected);
    showKernel(notices, panel, connected);
  } });

  const tellTurn = createTurnTeller(polite);
  const tellNotice = createNoticeTeller(notices, client.tell);
  /** @returns {State} */
  const stateNow = () => model.get("state") ?? {};
  const showState = () => {
    const state = stateNow();
    for (const part of parts) part.show(state);
    showConnection(notices, client, state.connection);
    showElsewhere(notices, client, state.elsewhere);
    tellNotice(state.notice);
    tellTurn(state);
  };
  const addTools = createAnswerTools({
    panel, root, model, notices, client, undo, say, lacks: () => stateNow().lacks ?? {},
  });
  const lookAgain = throttle(() => {
    addTools();
    search.refresh();
  }, TOOLS_AFTER_MS, signal);
  let focused = false;
  const before = () => {
    scroll.before();
    focused = root.contains(activeIn(root));
  };
  const after = () => {
    scroll.after();
    welcome.show(stateNow());
    lookAgain();
    if (focused && !panel.contains(activeIn(panel))) composer.field.focus({ preventScroll: true });
  };

  noteNotebook(panel, model, signal).then(composer.offerCells);
  keepPanelKeys(panel, search.open, signal);
  stopOnEscape(panel, { isBusy: () => Boolean(stateNow().busy), stop: () => client.tell("stop") }, signal);
  takeDrops(panel, composer.drop, signal);
  keepWithheld(panel, signal);
  for (const event of ["msg:custom", "change:snapshot"]) on(model, signal, event, before);
  live({ model, root, region: urgent, signal, kernel, listeners: {
    "msg:custom": after, "change:snapshot": after, "change:state": showState,
  } });
  showState();
  after();
  keepOutput(model, signal);
  return () => view.abort();
}

export default { initialize: initializeSaved, render: renderChat };
