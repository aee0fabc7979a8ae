// Where a person looks in the log: at the end for as long as they are there, else at what they look at, whatever
// changes above or below it.

import { iconButton } from "../core/dom.js";

const AT_END_PX = 24; // a fraction of a line from the end is the end
const LOAD_AHEAD_PX = 400; // earlier turns are asked for before their lack is seen

/** The elements at the top of what is seen, each inside the one before, with their distance from it. */
function anchorsOf(log) {
  const top = log.getBoundingClientRect().top;
  const found = [];
  let inside = log.querySelectorAll(":scope > article"); // not the buttons around them, which stay where they are
  let scope = log;
  while (scope) {
    scope = [...inside].find((child) => child.getBoundingClientRect().bottom > top);
    inside = scope?.children;
    if (scope?.dataset.key) found.push({ node: scope, key: scope.dataset.key, offset: scope.getBoundingClientRect().top - top });
    if (scope && scope.getBoundingClientRect().top >= top) break;
  }
  return found;
}

/** How far the innermost of the anchors that are still there has moved. */
function drift(log, anchors) {
  const top = log.getBoundingClientRect().top;
  for (const { node, key, offset } of anchors.reverse()) {
    const now = node.isConnected ? node : log.querySelector(`[data-key="${CSS.escape(key)}"]`);
    if (now) return now.getBoundingClientRect().top - top - offset;
  }
  return 0;
}

const sizeOf = (log) => `${log.clientWidth} ${log.clientHeight}`;

/**
 * Follows the log's end below `root`. The log is drawn anew by snapshots, so it is looked up each time. Call `before`
 * and `after` around every change; `latest` asks for the newest turns where they are not in the page.
 */
export function createScroll({ root, signal, latest }) {
  const jump = iconButton("down", "Jump to latest", () => end(), { class: "chat-tool chat-jump", hidden: true });
  const resized = new ResizeObserver(() => {
    size = sizeOf(log);
    settle();
  });
  let follows = true;
  let anchors = [];
  let log = null;
  let size = "";
  let asked = "";
  let awaitsLatest = false;
  let session = "";

  const offered = (intent) => log?.querySelector(`:scope > * > [data-intent="${intent}"]`);
  const isAtEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight <= AT_END_PX && !offered("later");
  const settle = () => {
    if (log && follows) log.scrollTop = log.scrollHeight;
    jump.hidden = follows;
  };
  const load = (intent, distance) => {
    const button = offered(intent);
    const turns = log.querySelectorAll(":scope > article");
    const wanted = [intent, turns[0]?.dataset.key, turns[turns.length - 1]?.dataset.key].join(" ");
    if (!button || distance > LOAD_AHEAD_PX || wanted === asked) return;
    asked = wanted; // once for what is there now
    button.click();
  };
  const scrolled = () => {
    if (sizeOf(log) !== size) return; // the browser did, while it lays out anew: the observer is told next
    follows = awaitsLatest || isAtEnd();
    jump.hidden = follows;
    load("earlier", log.scrollTop);
    if (!follows) load("later", log.scrollHeight - log.scrollTop - log.clientHeight);
  };
  const adopt = () => {
    const found = root.querySelector("[role=log]");
    if (found === log) return;
    resized.disconnect();
    log = found;
    if (!log) return;
    log.tabIndex = 0; // to be scrolled by keys
    log.ariaLive = "off"; // words come many times a second: read as they come they would be noise
    log.addEventListener("scroll", scrolled, { passive: true, signal });
    size = sizeOf(log);
    resized.observe(log);
  };
  const follow = () => {
    follows = true;
    awaitsLatest = Boolean(offered("later"));
    if (awaitsLatest) latest();
    settle();
  };
  const end = () => {
    follow();
    log?.focus({ preventScroll: true }); // the button has gone
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
    /** Another session is looked at from its end. */
    show({ session: { id } = {} }) {
      if (id === session) return;
      session = id;
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
      awaitsLatest = awaitsLatest && Boolean(offered("later"));
      follows = follows || Boolean(log && isAtEnd()); // what stood below is gone
      settle();
    },
  };
}
