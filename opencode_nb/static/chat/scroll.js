// Keep the log where the user looks: at its end while they are there, else at what they read, whatever changes around it.

/** @import { State } from "./types.js" */

import { iconButton } from "../core/buttons.js";
import { query, queryAll } from "../core/dom.js";

const AT_END_PX = 24; // less than a line from the end is the end
const LOAD_AHEAD_PX = 400; // load more turns before they are missed

/** @typedef {{ node: HTMLElement, key: string, offset: number }} Anchor */

/**
 * Find the elements at the top of what is visible, each inside the one before, with their distance from the top.
 *
 * @param {HTMLElement} log
 */
function anchorsOf(log) {
  const top = log.getBoundingClientRect().top;
  /** @type {Anchor[]} */
  const found = [];
  let inside = queryAll(log, ":scope > article"); // not the buttons around them, which stay where they are
  for (;;) {
    const scope = inside.find((child) => child.getBoundingClientRect().bottom > top);
    if (!scope) return found;
    const offset = scope.getBoundingClientRect().top - top;
    if (scope.dataset.key) found.push({ node: scope, key: scope.dataset.key, offset });
    if (offset >= 0) return found;
    inside = [.../** @type {HTMLCollectionOf<HTMLElement>} */ (scope.children)];
  }
}

/**
 * Measure how far the innermost anchor that still exists has moved.
 *
 * @param {HTMLElement} log
 * @param {Anchor[]} anchors
 */
function drift(log, anchors) {
  const top = log.getBoundingClientRect().top;
  for (const { node, key, offset } of anchors.reverse()) {
    const now = node.isConnected ? node : query(log, `[data-key="${CSS.escape(key)}"]`);
    if (now) return now.getBoundingClientRect().top - top - offset;
  }
  return 0;
}

/** @param {HTMLElement | null} log */
function sizeOf(log) {
  return log ? `${log.clientWidth} ${log.clientHeight}` : "";
}

/**
 * Find the button that loads earlier or later turns.
 *
 * @param {HTMLElement | null} log
 * @param {"earlier" | "later"} intent
 */
function loadButton(log, intent) {
  return log && query(log, `:scope > * > [data-intent="${intent}"]`);
}

/** Make what loads more turns before they are missed: once for the turns that are there. */
function createLoader() {
  let asked = "";
  /**
   * @param {HTMLElement} log
   * @param {"earlier" | "later"} intent
   * @param {number} distance in px, to the end of what is loaded
   */
  return (log, intent, distance) => {
    const button = loadButton(log, intent);
    if (!button || distance > LOAD_AHEAD_PX) return;
    const turns = queryAll(log, ":scope > article");
    const wanted = [intent, turns[0]?.dataset.key, turns.at(-1)?.dataset.key].join(" ");
    if (wanted === asked) return;
    asked = wanted;
    button.click();
  };
}

/**
 * Follow the end of the log below `root`. Snapshots draw the log again, so it is looked up each time. Call `before` and
 * `after` around every change.
 *
 * @param {object} options
 * @param {HTMLElement} options.root
 * @param {AbortSignal} options.signal
 * @param {() => void} options.latest loads the newest turns when they are not on the page
 */
export function createScroll({ root, signal, latest }) {
  const jump = iconButton("down", "Jump to latest", () => end(), { class: "chat-tool chat-jump", hidden: true });
  const resized = new ResizeObserver(() => {
    size = sizeOf(log);
    settle();
  });
  let follows = true;
  /** @type {Anchor[]} */
  let anchors = [];
  /** @type {HTMLElement | null} */
  let log = null;
  let size = "";
  let awaitsLatest = false;
  /** @type {string | undefined} */
  let session = "";

  const load = createLoader();
  const isCut = () => loadButton(log, "later") !== null;
  const belowPx = () => (log ? log.scrollHeight - log.scrollTop - log.clientHeight : 0);
  const isAtEnd = () => log !== null && belowPx() <= AT_END_PX && !isCut();
  const settle = () => {
    if (log && follows) log.scrollTop = log.scrollHeight;
    jump.hidden = follows;
  };
  const scrolled = () => {
    if (!log || sizeOf(log) !== size) return; // the browser scrolled during a layout: the observer is called next
    follows = awaitsLatest || isAtEnd();
    jump.hidden = follows;
    load(log, "earlier", log.scrollTop);
    if (!follows) load(log, "later", belowPx());
  };
  const adopt = () => {
    const found = query(root, "[role=log]");
    if (found === log) return;
    resized.disconnect();
    log = found;
    if (!log) return;
    log.tabIndex = 0; // so that keys can scroll it
    log.ariaLive = "off"; // words arrive many times a second: read out as they come they would be noise
    log.addEventListener("scroll", scrolled, { passive: true, signal });
    size = sizeOf(log);
    resized.observe(log);
  };
  const follow = () => {
    follows = true;
    awaitsLatest = isCut();
    if (awaitsLatest) latest();
    settle();
  };
  const end = () => {
    follow();
    log?.focus({ preventScroll: true }); // the button is gone
  };

  root.addEventListener("load", settle, { capture: true, signal }); // pictures
  root.addEventListener("toggle", () => { // who opens something at the end wants to read it
    if (log) follows = follows && isAtEnd();
    jump.hidden = follows;
  }, { capture: true, signal });
  signal.addEventListener("abort", () => resized.disconnect());

  return {
    jump,
    follow,
    /** The log was scrolled for the user: follow its end only if it is in sight there. */
    moved() {
      follows = isAtEnd();
      jump.hidden = follows;
    },
    /**
     * Show another session from its end.
     *
     * @param {State} state
     */
    show({ session: shown }) {
      if (shown?.id === session) return;
      session = shown?.id;
      follows = true;
      settle();
    },
    before() {
      anchors = log && !follows ? anchorsOf(log) : [];
    },
    after() {
      adopt();
      if (anchors.length && log) log.scrollTop += drift(log, anchors);
      anchors = [];
      awaitsLatest = awaitsLatest && isCut();
      follows = follows || isAtEnd(); // what was below is gone
      settle();
    },
  };
}
