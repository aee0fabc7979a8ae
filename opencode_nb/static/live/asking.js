// Guard the agent's requests: a click never hits a button that has just replaced something else, nobody answers without
// a choice, or allows what is out of sight. Disabled buttons keep the focus, and say why they are disabled.

import { activeIn, closest, query, queryAll, targetOf } from "../core/dom.js";
import { heightInSight } from "../core/sight.js";

/** The cards in which the agent asks for something. */
export const ASKING = '[data-part="permission"], [data-part="question"]';

const SETTLE_MS = 500; // a click within this time was aimed at what was there before
const ANSWERS = '[data-intent="permission"]:not(form), [data-intent="question"]:not(form), [type="submit"]';
const OWN_CHOICE = 'input[type="radio"][data-own]';
const NO_CHOICE = "Choose or write an answer first.";
const PRESSES = ["Enter", " "];
const SCROLLING = ".oc-matter, .oc-choices, .oc-covers";
const ALLOWS = '[data-reply="once"], [data-reply="turn"], [data-reply="always"]';
const SUBJECT_PX = 16; // a line of what is asked, at least

/**
 * Collect the answers to one question: the chosen labels and the user's own text. Where only one answer is allowed, the
 * own text is a choice like the others and counts only if it is chosen. A source is the answer as it stands.
 *
 * @param {Element} box the question's fieldset
 * @returns {string[]}
 */
export function answersIn(box) {
  const source = box.querySelector("textarea");
  if (source) return [source.value];
  /** @type {HTMLInputElement | null} */
  const choice = box.querySelector(OWN_CHOICE);
  const checked = /** @type {HTMLInputElement[]} */ (queryAll(box, "input:checked"));
  const chosen = checked.filter((input) => input !== choice).map(({ value }) => value);
  /** @type {HTMLInputElement | null} */
  const field = box.querySelector('input[type="text"]');
  const own = field?.value.trim();
  return own && (!choice || choice.checked) ? [...chosen, own] : chosen;
}

/**
 * Collect one list of answers for each question of a form.
 *
 * @param {HTMLFormElement} form
 */
export function answersOf(form) {
  return [...form.querySelectorAll("fieldset")].map(answersIn);
}

/**
 * Choose the own answer while it has text, and only then.
 *
 * @param {Event} event
 */
function chooseByWriting({ target }) {
  const field = /** @type {HTMLInputElement} */ (target);
  /** @type {HTMLInputElement | null | undefined} */
  const choice = field.matches('input[type="text"]') ? field.closest("fieldset")?.querySelector(OWN_CHOICE) : null;
  if (choice) choice.checked = field.value.trim() !== "";
}

/**
 * Whether a form has an answer, and one to each question that allows only one: of the others none need be chosen.
 *
 * @param {HTMLFormElement} form
 */
export function isAnswered(form) {
  const boxes = [...form.querySelectorAll("fieldset")];
  const open = boxes.filter((box) => !answersIn(box).length);
  return open.length < boxes.length && !open.some((box) => box.querySelector('input[type="radio"]'));
}

/** @param {HTMLElement} button */
function lacksChoice(button) {
  const form = button.matches('[type="submit"]') ? /** @type {HTMLButtonElement} */ (button).form : null;
  return Boolean(form && form.closest('[data-part="question"]') && !isAnswered(form));
}

/**
 * @param {HTMLElement} button
 * @param {boolean} disabled
 * @param {string} why
 */
function setDisabled(button, disabled, why) {
  if (disabled) button.setAttribute("aria-disabled", "true");
  else button.removeAttribute("aria-disabled");
  if (why) {
    button.setAttribute("aria-description", why);
    button.title = why;
  } else if (button.hasAttribute("aria-description")) {
    button.removeAttribute("aria-description");
    button.removeAttribute("title");
  }
}

/**
 * Whether a press would allow what nobody sees: then bring that into sight.
 *
 * @param {HTMLElement} button
 */
function allowsUnseen(button) {
  const subject = button.matches(ALLOWS) ? cardOf(button)?.querySelector(".oc-matter") : null;
  if (!(subject instanceof HTMLElement)) return false;
  const unseen = heightInSight(subject) < Math.min(SUBJECT_PX, subject.getBoundingClientRect().height - 1);
  if (unseen) subject.scrollIntoView({ block: "nearest" });
  return unseen;
}

/** @param {Element | null} node */
const cardOf = (node) => node && closest(node, ASKING);

/**
 * Call `run` this long after the next frame is on the screen.
 *
 * @param {number} ms
 * @param {() => void} run
 * @returns {() => void} cancels it
 */
function afterPaint(ms, run) {
  let timer = 0;
  const frame = requestAnimationFrame(() => { timer = setTimeout(run, ms); });
  return () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
  };
}

/**
 * Follow the pointer's position on the page.
 *
 * @param {AbortSignal} signal
 */
function followPointer(signal) {
  const at = { x: -1, y: -1 };
  /** @param {Event} event */
  const moved = (event) => {
    const { clientX, clientY } = /** @type {PointerEvent} */ (event);
    Object.assign(at, { x: clientX, y: clientY });
  };
  for (const kind of ["pointermove", "pointerdown"]) window.addEventListener(kind, moved, { capture: true, passive: true, signal });
  return at;
}

/** @param {Event} event */
function swallow(event) {
  event.preventDefault();
  event.stopImmediatePropagation();
}

/**
 * Stop presses that must not count, before any other listener gets them.
 *
 * @param {HTMLElement} root
 * @param {AbortSignal} signal
 * @param {(event: Event) => boolean} isEarly
 */
function swallowPresses(root, signal, isEarly) {
  root.addEventListener("click", (event) => {
    const button = closest(targetOf(event), ANSWERS);
    if (button && cardOf(button) && (isEarly(event) || lacksChoice(button) || allowsUnseen(button))) swallow(event);
  }, { capture: true, signal });
  root.addEventListener("submit", (event) => {
    const button = query(targetOf(event), '[type="submit"]');
    if (button && cardOf(button) && (isEarly(event) || lacksChoice(button))) swallow(event);
  }, { capture: true, signal });
  root.addEventListener("keydown", (event) => { // a key that is held down was pressed for something else
    const target = targetOf(event);
    if (event.repeat && PRESSES.includes(event.key) && !target.matches("textarea") && cardOf(target)) swallow(event);
  }, { capture: true, signal });
}

/**
 * Disable the buttons of the agent's requests below `root` while they must not be pressed.
 *
 * @param {HTMLElement} root
 * @param {AbortSignal} signal
 */
export function createAskingGuard(root, signal) {
  const pointer = followPointer(signal);
  let settling = false; // for the pointer: it was aimed at what was there before
  let keysSettling = false; // for keys: they go to what has the focus, so only changes around it matter
  let cancel = () => {};
  /** @type {(Element | null)[]} */
  let faces = []; // the cards and what they ask: what changes is a new node

  /** @param {HTMLElement} scope */
  const mark = (scope) => {
    for (const card of queryAll(scope, ASKING)) {
      for (const button of queryAll(card, ANSWERS)) {
        const lacks = lacksChoice(button);
        setDisabled(button, settling || lacks, lacks ? NO_CHOICE : "");
      }
    }
  };
  /** @param {boolean} begins */
  const settle = (begins) => {
    cancel();
    settling = begins;
    keysSettling &&= begins;
    mark(root);
    if (begins) cancel = afterPaint(SETTLE_MS, () => settle(false));
  };
  const cardsNow = () => queryAll(root, ASKING).filter(({ hidden }) => !hidden);
  const facesNow = () => cardsNow().flatMap((card) => [card, card.firstElementChild]);
  const underPointer = () => {
    const page = /** @type {Document | ShadowRoot} */ (root.getRootNode());
    return faces.length > 0 && (page.elementFromPoint?.(pointer.x, pointer.y)?.closest(ANSWERS) ?? null);
  };

  swallowPresses(root, signal, (event) => { // a click by keys has no count, and a submit no pointer
    const byPointer = event.type === "click" && /** @type {MouseEvent} */ (event).detail > 0;
    return byPointer ? settling : keysSettling;
  });
  root.addEventListener("input", (event) => {
    chooseByWriting(event);
    mark(root);
  }, { signal });
  root.addEventListener("focusin", (event) => { // show the request to a keyboard user who reaches an answer
    const target = targetOf(event);
    if (target.matches(`:is(${ANSWERS}):focus-visible`)) cardOf(target)?.scrollIntoView({ block: "nearest" });
  }, { signal });
  signal.addEventListener("abort", () => settle(false));

  return {
    /**
     * Prepare a fragment before it is shown.
     *
     * @param {DocumentFragment} fragment
     */
    prepare(fragment) {
      for (const text of queryAll(fragment, SCROLLING)) text.tabIndex = 0; // so that keys can scroll it
      for (const card of queryAll(fragment, ASKING)) card.tabIndex = -1; // the next request gets the focus as a whole
    },
    /**
     * Run a change of the page.
     *
     * @param {() => void} change
     */
    around(change) {
      const under = underPointer();
      const focused = cardOf(activeIn(root));
      change();
      const now = facesNow();
      const changed = now.length !== faces.length || now.some((node, index) => node !== faces[index]);
      faces = now;
      keysSettling ||= changed && focused !== null;
      if (changed || underPointer() !== under) settle(faces.length > 0);
    },
  };
}
