// Tell at the top of a long output what is out of sight below it: the agent's request or what it is doing, with Stop.

import { ASKING } from "../live/asking.js";
import { make, query, queryAll, update } from "../core/dom.js";
import { sightOf } from "../core/sight.js";

const NEEDED_PX = 24; // what shows less than this of itself is out of sight

/**
 * Find what the user must not miss: the open request, else what the turn is doing.
 *
 * @param {HTMLElement} root
 */
function newsIn(root) {
  const request = queryAll(root, ASKING).find(({ hidden }) => !hidden);
  return request ?? query(root, "[role=status]");
}

/**
 * Say in a line what that is.
 *
 * @param {HTMLElement} news
 */
function lineOf(news) {
  const head = query(news, ".oc-asked");
  const words = head ? queryAll(head, ":scope > :not(.oc-glyph)") : [query(news, ".oc-info") ?? news];
  return words.map(({ textContent }) => textContent).join(" ").replace(/\s+/g, " ").trim();
}

/**
 * Whether too little of something is above this line.
 *
 * @param {DOMRect} box
 * @param {number} line
 */
function isUnder(box, line) {
  return box.top > line - Math.min(NEEDED_PX, box.height / 2);
}

/**
 * Make the line above `root`. It follows what is in sight of the output, because sticky positions end at JupyterLab's
 * output areas, which cut off what is too wide.
 *
 * @param {HTMLElement} root
 * @param {AbortSignal} signal
 */
export function createBelow(root, signal) {
  const text = make("span", { class: "oc-below-text" });
  const jump = make("button", { type: "button", class: "oc-below-button", onclick: () => go() });
  const stop = make("button", { type: "button", class: "oc-below-button", onclick: () => stopButton()?.click() }, "Stop");
  const bar = make("div", { class: "opencode-nb oc-below", role: "region", "aria-label": "Out of sight below", hidden: true }, text, jump, stop);
  let frame = 0;

  const stopButton = () => query(root, '[data-intent="stop"]');
  const go = () => {
    const news = newsIn(root);
    news?.scrollIntoView({ block: "center" });
    (news?.matches(ASKING) ? news : root).focus({ preventScroll: true });
  };
  const look = () => {
    frame = 0;
    const news = newsIn(root);
    const sight = sightOf(root);
    const box = root.getBoundingClientRect();
    const seesOutput = box.top < sight.bottom && sight.top < box.bottom;
    const isBelow = news !== null && isUnder(news.getBoundingClientRect(), sight.bottom);
    update(bar, { hidden: !(seesOutput && isBelow) });
    if (!news || bar.hidden) return;
    const asks = news.matches(ASKING);
    update(text, { textContent: lineOf(news) });
    update(jump, { textContent: asks ? "Go to the request" : "Go to the end" });
    update(stop, { hidden: stopButton() === null });
    bar.classList.toggle("oc-below-asks", asks);
    bar.style.transform = "";
    const hiddenPx = sight.top - bar.getBoundingClientRect().top;
    bar.style.transform = `translateY(${Math.max(0, hiddenPx)}px)`;
  };
  const lookSoon = () => {
    if (!frame) frame = requestAnimationFrame(look);
  };

  const changes = new MutationObserver(lookSoon);
  changes.observe(root, { subtree: true, childList: true, characterData: true, attributeFilter: ["hidden", "open"] });
  window.addEventListener("scroll", lookSoon, { capture: true, passive: true, signal });
  window.addEventListener("resize", lookSoon, { passive: true, signal });
  signal.addEventListener("abort", () => {
    changes.disconnect();
    cancelAnimationFrame(frame);
    bar.remove();
  });
  return bar;
}
