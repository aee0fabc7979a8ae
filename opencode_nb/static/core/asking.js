// What the agent asks: no click goes to what has only just come in the place of something else, and there is no answer
// without a choice. Dead buttons keep the focus, and say why they are dead.

export const ASKING = '[data-part="permission"], [data-part="question"]';

const SETTLE_MS = 500; // what is clicked within this time was aimed at what stood there before
const ANSWERS = '[data-intent="permission"]:not(form), [data-intent="question"]:not(form), [type="submit"]';
const OWN_CHOICE = 'input[type="radio"][data-own]';
const NO_CHOICE = "Choose or write an answer first.";
const PRESSES = ["Enter", " "];

/**
 * One question's fieldset -> its answers: chosen labels, and one's own words. Where there can be one answer only, own
 * words are a choice like the others, and count if they are chosen.
 */
export function answersIn(box) {
  const choice = box.querySelector(OWN_CHOICE);
  const chosen = [...box.querySelectorAll("input:checked")].filter((input) => input !== choice).map(({ value }) => value);
  const own = box.querySelector('input[type="text"]')?.value.trim();
  return own && (!choice || choice.checked) ? [...chosen, own] : chosen;
}

/** A question's form -> one list of answers for each question. */
export const answersOf = (form) => [...form.querySelectorAll("fieldset")].map(answersIn);

/** Who writes own words chooses them, and who takes them away chooses nothing. */
function chooseByWriting({ target }) {
  const choice = target.matches('input[type="text"]') && target.closest("fieldset")?.querySelector(OWN_CHOICE);
  if (choice) choice.checked = target.value.trim() !== "";
}

/** Several may be chosen of some questions, or none; one of every other, and there must be an answer at all. */
function isAnswered(form) {
  const boxes = [...form.querySelectorAll("fieldset")];
  const open = boxes.filter((box) => !answersIn(box).length);
  return open.length < boxes.length && !open.some((box) => box.querySelector('input[type="radio"]'));
}

function lacksChoice(button) {
  const form = button.matches('[type="submit"]') && button.form;
  return Boolean(form && form.closest('[data-part="question"]') && !isAnswered(form));
}

function setDead(button, dead, why) {
  if (dead) button.setAttribute("aria-disabled", "true");
  else button.removeAttribute("aria-disabled");
  if (why) {
    button.setAttribute("aria-description", why);
    button.title = why;
  } else if (button.hasAttribute("aria-description")) {
    button.removeAttribute("aria-description");
    button.removeAttribute("title");
  }
}

const cardOf = (node) => node?.closest?.(ASKING) ?? null;

/** Runs `run` so long after what was changed is on the screen; gives what calls it off. */
function afterPaint(ms, run) {
  let timer = 0;
  const frame = requestAnimationFrame(() => { timer = setTimeout(run, ms); });
  return () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
  };
}

/** Where the pointer is on the page. */
function followPointer(signal) {
  const at = { x: -1, y: -1 };
  const moved = ({ clientX, clientY }) => Object.assign(at, { x: clientX, y: clientY });
  for (const kind of ["pointermove", "pointerdown"]) window.addEventListener(kind, moved, { capture: true, passive: true, signal });
  return at;
}

/**
 * Keeps the buttons of what the agent asks below `root` dead while they must not be pressed. `prepare(fragment)` is given
 * what comes before it is shown; `around(change)` runs what changes the page.
 */
export function createAskingGuard(root, signal) {
  const pointer = followPointer(signal);
  let settling = false; // for the pointer: it was aimed at what stood there before
  let keysSettling = false; // for keys: they go to what has the focus, so only what changes around it is in their way
  let callOff = () => {};
  let faces = []; // the cards and what is asked in them: those that change are new nodes

  const mark = (scope) => {
    for (const card of scope.querySelectorAll(ASKING)) {
      for (const button of card.querySelectorAll(ANSWERS)) {
        const lacks = lacksChoice(button);
        setDead(button, settling || lacks, lacks ? NO_CHOICE : "");
      }
    }
  };
  const settle = (begins) => {
    callOff();
    settling = begins;
    keysSettling &&= begins;
    mark(root);
    if (begins) callOff = afterPaint(SETTLE_MS, () => settle(false));
  };
  const facesNow = () => [...root.querySelectorAll(ASKING)].flatMap((card) => [card, card.firstElementChild]);
  const underPointer = () => faces.length > 0
    && (root.getRootNode().elementFromPoint?.(pointer.x, pointer.y)?.closest(ANSWERS) ?? null);

  const swallow = (event) => {
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  root.addEventListener("click", (event) => {
    const button = event.target.closest(ANSWERS);
    const isEarly = event.detail > 0 ? settling : keysSettling; // a click by keys has no count
    if (button && cardOf(button) && (isEarly || lacksChoice(button))) swallow(event);
  }, { capture: true, signal });
  root.addEventListener("submit", (event) => {
    const button = event.target.querySelector('[type="submit"]');
    if (button && cardOf(button) && (keysSettling || lacksChoice(button))) swallow(event);
  }, { capture: true, signal });
  root.addEventListener("keydown", (event) => { // a key that is held down was pressed for something else
    if (event.repeat && PRESSES.includes(event.key) && event.target.closest(ASKING)) swallow(event);
  }, { capture: true, signal });
  root.addEventListener("input", (event) => {
    chooseByWriting(event);
    mark(root);
  }, { signal });
  root.addEventListener("focusin", ({ target }) => { // what is asked is in sight of who comes to an answer by keys
    if (target.matches(`:is(${ANSWERS}):focus-visible`)) target.closest(ASKING)?.scrollIntoView({ block: "nearest" });
  }, { signal });
  signal.addEventListener("abort", () => settle(false));

  return {
    prepare(fragment) {
      for (const matter of fragment.querySelectorAll(".oc-matter")) matter.tabIndex = 0; // to be scrolled by keys
    },
    around(change) {
      const under = underPointer();
      const focused = cardOf(root.getRootNode().activeElement);
      change();
      const now = facesNow();
      const changed = now.length !== faces.length || now.some((node, index) => node !== faces[index]);
      faces = now;
      keysSettling ||= changed && focused !== null;
      if (changed || underPointer() !== under) settle(faces.length > 0);
    },
  };
}
