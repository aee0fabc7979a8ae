// The files of a diff: load the ones in sight, and unload the ones far away.

/** @import { Intent } from "../core/types.js" */

import { query, queryAll } from "../core/dom.js";

const ASKED_AGAIN_MS = 3000; // a request or its answer can be lost
const NEAR = "1000px 0px"; // how far outside the pane a file is already loaded
const KEPT = 30; // files whose lines stay on the page while they are out of sight
const LINE_PX = 19;
const HEAD = 70; // px of a file beside its lines

/** @param {HTMLDetailsElement} section */
const headOf = (section) => /** @type {HTMLElement} */ (query(section, ":scope > summary"));
/** @param {HTMLDetailsElement} section */
const bodyOf = (section) => /** @type {HTMLElement} */ (query(section, ":scope > div"));

/**
 * Whether the body of a file shows its present version.
 *
 * @param {HTMLDetailsElement} section
 */
export function isCurrent(section) {
  return bodyOf(section).dataset.version === headOf(section).dataset.version;
}

/**
 * Reserve the room that a file's lines will take.
 *
 * @param {HTMLDetailsElement} section
 */
function reserve(section) {
  const height = Number(section.dataset.lines) * LINE_PX;
  section.style.containIntrinsicSize = `auto ${HEAD + height}px`;
  bodyOf(section).style.height = `${height}px`;
}

/**
 * Empty a file's body; it keeps its height.
 *
 * @param {HTMLElement} body
 */
function empty(body) {
  const height = body.offsetHeight;
  body.replaceChildren();
  delete body.dataset.version;
  body.className = "oc-awaited";
  body.style.height = `${height}px`;
}

/**
 * Ask Python for the body of each open file that comes near, and drop those that are far away.
 *
 * @param {HTMLElement} root
 * @param {(message: Intent) => void} send
 * @param {AbortSignal} signal
 */
export function createBodies(root, send, signal) {
  /** @type {Map<string | undefined, { version: string | undefined, at: number }>} */
  const asked = new Map(); // by the file's index
  /** @type {Set<HTMLDetailsElement>} */
  const near = new Set();
  /** @type {HTMLElement | null} */
  let pane = null;
  /** @type {IntersectionObserver | null} */
  let observer = null;

  /** @param {HTMLDetailsElement} section */
  function want(section) {
    if (!section.open || isCurrent(section)) return;
    const { index } = section.dataset;
    const { version } = headOf(section).dataset;
    const before = asked.get(index);
    if (before && before.version === version && Date.now() - before.at < ASKED_AGAIN_MS) return;
    asked.set(index, { version, at: Date.now() });
    send({ kind: "file", id: index });
  }

  /** @param {HTMLElement} pane */
  function letGo(pane) {
    const loaded = queryAll(pane, ":scope > details > .oc-body");
    const sectionOf = (/** @type {HTMLElement} */ body) => /** @type {HTMLDetailsElement} */ (body.parentElement);
    const far = loaded.filter((body) => !near.has(sectionOf(body)) && !body.contains(document.activeElement)
      && !body.querySelector(".oc-draft"));
    for (const body of far.slice(0, Math.max(0, loaded.length - KEPT))) {
      empty(body);
      asked.delete(sectionOf(body).dataset.index);
    }
  }

  function watch() {
    const found = query(root, ".oc-files");
    if (found === pane) return;
    observer?.disconnect();
    near.clear();
    asked.clear();
    pane = found;
    if (!pane) return;
    observer = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        const section = /** @type {HTMLDetailsElement} */ (target);
        if (isIntersecting) near.add(section);
        else near.delete(section);
        if (isIntersecting) want(section);
      }
    }, { root: pane, rootMargin: NEAR });
    for (const section of /** @type {HTMLCollectionOf<HTMLDetailsElement>} */ (pane.children)) {
      reserve(section);
      observer.observe(section);
    }
  }

  const refresh = () => {
    watch();
    if (!pane) return;
    near.forEach(want);
    letGo(pane);
  };
  const again = setInterval(() => {
    const late = [...near].filter((section) => section.open && !isCurrent(section));
    if (!late.length && root.ariaBusy !== "true") return;
    send({ kind: "hello" }); // the answer shows whether something was lost
    late.forEach(want);
  }, ASKED_AGAIN_MS);
  root.addEventListener("toggle", ({ target }) => {
    const section = /** @type {HTMLDetailsElement} */ (target);
    if (near.has(section)) want(section); // files that are open from the start toggle, too
  }, { capture: true, signal });
  signal.addEventListener("abort", () => {
    clearInterval(again);
    observer?.disconnect();
  });
  return { refresh, want };
}

/** @typedef {Pick<ReturnType<typeof createBodies>, "want">} Bodies */
