// Search in the session: Python knows the words of all its turns, the page shows some of them. What is found in a turn
// that is not on the page is shown first.

/** @import { State } from "./types.js" */
/** @import { Client } from "./client.js" */

import { iconButton, textButton } from "../core/buttons.js";
import { activeIn, isComposing, make, query, queryAll, update } from "../core/dom.js";
import { mark, matchesIn, reveal } from "../core/matches.js";

const TYPING_MS = 150;

/** @typedef {{ message: string, nth: number }} Match the nth match in the turn of a message */

/**
 * List each match of the turns, in their order.
 *
 * @param {{ message: string, count: number }[]} turns
 * @returns {Match[]}
 */
export function matchesOf(turns) {
  return turns.flatMap(({ message, count }) => Array.from({ length: count }, (_, nth) => ({ message, nth })));
}

/**
 * Find the first match that is not above what one looks at.
 *
 * @param {HTMLElement} root
 * @param {Match[]} matches
 */
function nearestTo(root, matches) {
  const top = query(root, "[role=log]")?.getBoundingClientRect().top ?? 0;
  const articles = queryAll(root, "[role=log] > article");
  const below = new Set(articles.filter((node) => node.getBoundingClientRect().bottom > top).map(({ dataset }) => dataset.message));
  return Math.max(0, matches.findIndex(({ message }) => below.has(message)));
}

/**
 * Mark all matches on the page; one of an article is the current one.
 *
 * @param {HTMLElement} root
 * @param {string} words
 * @param {HTMLElement | null | undefined} article
 * @param {number} [nth] the page may have fewer there than Python has found
 */
function markAll(root, words, article, nth = 0) {
  const all = queryAll(root, "[role=log] > article").map((node) => ({ node, ranges: matchesIn(node, words) }));
  const here = all.find(({ node }) => node === article)?.ranges ?? [];
  const current = here[Math.min(nth, here.length - 1)];
  mark(all.flatMap(({ ranges }) => ranges), current);
  return current;
}

/**
 * Make the field, its buttons, and what tells how many matches there are.
 *
 * @param {object} acts
 * @param {(by: number) => void} acts.step
 * @param {() => void} acts.findAll
 * @param {() => void} acts.close
 */
function createSearchBar({ step, findAll, close }) {
  const field = make("input", { type: "search", class: "chat-search-field", "aria-label": "Find in session", placeholder: "Find in session", dir: "auto" });
  const count = make("span", { class: "chat-muted", role: "status" });
  const rest = textButton("Search earlier messages", findAll, { hidden: true });
  const steps = [iconButton("up", "Previous match", () => step(-1)), iconButton("chevron", "Next match", () => step(1))];
  const bar = make("div", { class: "chat-search", role: "search", hidden: true },
    field, count, rest, ...steps, iconButton("close", "Close search", close));
  bar.addEventListener("keydown", (event) => {
    if (isComposing(event)) return;
    if (event.key === "Escape") close();
    else if (event.key === "Enter" && event.target === field) step(event.shiftKey ? -1 : 1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return { bar, field, count, rest, steps };
}

/**
 * Make the search.
 *
 * @param {object} options
 * @param {HTMLElement} options.root
 * @param {Client} options.client
 * @param {AbortSignal} options.signal
 * @param {() => void} options.leave moves the focus on when nothing else had it
 * @param {() => void} options.moved called when the log was scrolled to a match
 */
export function createFinder({ root, client, signal, leave, moved }) {
  /** @type {Match[]} */
  let matches = [];
  let at = 0;
  let asked = 0;
  let timer = 0;
  let awaited = ""; // the message whose turn is on its way to the page
  let session = "";
  /** @type {HTMLElement | null} */
  let before = null;

  const { bar, field, count, rest, steps } = createSearchBar({
    step: (by) => step(by), findAll: () => find(true), close: () => close(),
  });

  /** @param {string} message */
  const articleOf = (message) => query(root, `[role=log] > article[data-message="${CSS.escape(message)}"]`);
  /** @param {string} [failed] why nothing could be looked for */
  const tell = (failed = "") => {
    const found = matches.length ? `${at + 1} of ${matches.length}` : "No matches";
    update(count, { textContent: failed || (field.value ? found : "") });
    for (const button of steps) button.disabled = !matches.length;
  };
  /** @param {boolean} moves whether to scroll to the current match */
  const show = (moves) => {
    const match = matches[at];
    const article = match && articleOf(match.message);
    const current = markAll(root, field.value, article, match?.nth);
    if (moves && current) {
      reveal(current);
      moved();
    }
    if (moves && match && !article) {
      awaited = match.message;
      client.tell("show", { message: match.message });
    }
  };
  /** @param {number} by */
  const step = (by) => {
    if (!matches.length) return;
    at = (at + by + matches.length) % matches.length;
    tell();
    show(true);
  };
  /** @param {boolean} [all] whether to load the session's earlier messages before */
  const find = async (all = false) => {
    const text = field.value;
    asked += 1;
    const number = asked;
    let failed = "";
    const [found] = text ? await client.ask("search", { text, all }).catch((error) => { failed = error.message; return []; }) : [];
    if (number !== asked || bar.hidden) return; // something else is looked for by now
    matches = matchesOf(found?.turns ?? []);
    at = nearestTo(root, matches);
    rest.hidden = !found?.earlier;
    tell(failed);
    show(true);
  };
  const close = () => {
    if (bar.hidden) return;
    clearTimeout(timer);
    const focused = bar.contains(activeIn(bar));
    bar.hidden = true;
    mark([]);
    if (!focused) return;
    if (before?.isConnected) before.focus({ preventScroll: true });
    else leave();
  };

  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => find(), TYPING_MS);
  });
  signal.addEventListener("abort", close);

  return {
    bar,
    /** Show the field, and have what was looked for last replaced by typing. */
    open() {
      if (bar.hidden) before = activeIn(bar);
      bar.hidden = false;
      field.focus();
      field.select();
      if (field.value) find();
    },
    /** The page has changed: mark what is new, and go on to the match that was waited for. */
    refresh() {
      if (bar.hidden) return;
      const arrived = awaited !== "" && articleOf(awaited) !== null;
      if (arrived) awaited = "";
      show(arrived);
    },
    /** @param {State} state */
    show({ session: shown }) {
      if (shown?.id !== session) close();
      session = shown?.id ?? "";
    },
  };
}
