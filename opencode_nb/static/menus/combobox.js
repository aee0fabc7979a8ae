// A field that shows what is chosen, and searches for something else when typed into.

/** @import { Option } from "./listbox.js" */

import { icon } from "../core/buttons.js";
import { isComposing, make } from "../core/dom.js";
import { createListbox } from "./listbox.js";

const PAUSE_MS = 150; // pause in typing after which a costly search starts

/**
 * Search for words, and show only the answer to the last search.
 *
 * @template {Option} T
 * @param {object} options
 * @param {(words: string) => Promise<T[]>} options.load
 * @param {(items: T[]) => void} options.show
 * @param {(error: Error) => void} options.fail
 * @param {boolean} options.costly search when typing begins and when it pauses, not at every letter
 */
export function createSearch({ load, show, fail, costly }) {
  let serial = 0;
  /** @type {string | undefined} */
  let wanted; // the words to look for now; undefined while nobody searches
  /** @type {string | undefined} */
  let sought; // those of the last search
  /** @type {string | undefined} */
  let found; // those that the list is for
  let pause = 0;

  /** @param {string} words */
  const search = async (words) => {
    serial += 1;
    const mine = serial;
    sought = words;
    try {
      const items = await load(words);
      if (mine !== serial) return;
      found = words;
      show(items);
    } catch (error) {
      if (mine !== serial) return;
      found = words;
      fail(/** @type {Error} */ (error));
    }
  };
  const endPause = () => {
    clearTimeout(pause);
    pause = 0;
  };
  /** Search at once for what was typed last. */
  const catchUp = () => {
    endPause();
    if (wanted !== undefined && wanted !== sought) search(wanted);
  };

  return {
    catchUp,
    /** Whether the list is still for other words than those that were typed. */
    get behind() { return wanted !== found; },
    /** Search for everything. */
    open() {
      wanted = "";
      search("");
    },
    /** @param {string} words */
    typed(words) {
      wanted = words;
      if (!costly || !pause) search(wanted);
      clearTimeout(pause);
      pause = setTimeout(catchUp, PAUSE_MS);
    },
    /** Forget the search: an answer that is still on its way is not shown. */
    close() {
      serial += 1;
      endPause();
      wanted = found = undefined;
    },
  };
}

/**
 * Remember where the focus goes from a field that a command has brought it to, for as long as it stays there.
 *
 * @param {HTMLElement} field
 */
function createWayBack(field) {
  const stay = () => {};
  let go = stay;
  field.addEventListener("blur", () => { go = stay; });
  return {
    get leads() { return go !== stay; },
    /** @param {() => void} then */
    lead(then) { go = then; },
    back() { go(); },
  };
}

/**
 * Make a combobox.
 *
 * @template {Option} T
 * @param {object} options
 * @param {string} options.label
 * @param {(words: string) => Promise<T[]>} options.load items; the one with `current` is active first
 * @param {(item: T) => void} options.choose
 * @param {string} options.nothing shown in the list's place when nothing was found
 * @param {boolean} [options.costly] search when typing begins and when it pauses, not at every letter
 */
export function createCombobox({ label, load, choose, nothing, costly = false }) {
  const field = make("input", {
    type: "text", role: "combobox", class: "chat-combobox", "aria-label": label, "aria-expanded": "false",
    "aria-autocomplete": "list", autocomplete: "off", spellcheck: "false", dir: "auto",
  });
  const empty = make("div", { class: "chat-list chat-nothing", role: "status", hidden: true });
  const box = make("div", { class: "chat-combo" }, field, icon("chevron"), empty);
  let shown = "";
  const way = createWayBack(field);

  const listbox = createListbox({
    field,
    label: `${label} list`,
    choose(/** @type {T} */ item) {
      end();
      choose(item);
    },
    changed: (open) => field.setAttribute("aria-expanded", String(open)),
  });
  field.setAttribute("aria-controls", listbox.list.id);
  box.append(listbox.list);

  /** @param {string} text */
  const say = (text) => {
    empty.hidden = !text;
    empty.textContent = text;
  };
  const search = createSearch({
    load,
    costly,
    show(/** @type {T[]} */ items) {
      listbox.show(items, Math.max(0, items.findIndex((item) => item.current)));
      say(items.length ? "" : nothing);
    },
    fail(error) {
      listbox.hide();
      say(error.message);
    },
  });
  const close = () => {
    search.close();
    listbox.hide();
    say("");
    field.value = shown;
  };
  const end = () => {
    close();
    way.back();
  };
  const open = () => {
    if (listbox.open) return;
    field.select();
    search.open();
  };

  field.addEventListener("click", open);
  field.addEventListener("input", () => search.typed(field.value.trim()));
  field.addEventListener("blur", close);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && (listbox.open || !empty.hidden || field.value !== shown || way.leads)) {
      event.stopPropagation();
      end();
    } else if (search.behind && ["Enter", "Tab"].includes(event.key) && !isComposing(event)) {
      if (event.key === "Tab") return; // never choose from a list for other words
      event.preventDefault();
      search.catchUp();
    } else if (listbox.key(event)) return;
    else if (["ArrowDown", "ArrowUp", "Enter"].includes(event.key) && !isComposing(event)) {
      event.preventDefault();
      open();
    }
  });

  return {
    box,
    field,
    /**
     * Open the list, as a click does.
     *
     * @param {() => void} then moves the focus on when something was chosen, or nothing
     */
    open(then) {
      field.focus();
      way.lead(then);
      open();
      return true;
    },
    /**
     * Show what is chosen, unless the user is typing.
     *
     * @param {string} text
     */
    set(text) {
      if (text === shown) return;
      if (field.value === shown) field.value = text;
      shown = text;
      field.title = text;
    },
  };
}
