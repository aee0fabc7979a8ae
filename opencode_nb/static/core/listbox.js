// Lists that a person chooses from without leaving the field or button they belong to.

import { icon, isComposing, make, uniqueId } from "./dom.js";

const PAGE = 8; // options that PageUp and PageDown pass
const PAUSE_MS = 150; // of typing, after which what was typed is searched for

const STEPS = { ArrowDown: 1, ArrowUp: -1, PageDown: PAGE, PageUp: -PAGE };

/** One row: what it is, and beside it what tells it from others. */
function option({ label, detail = "" }, id) {
  return make("li", { role: "option", id, class: "chat-option", "aria-selected": "false" },
    make("span", { class: "chat-option-label", dir: "auto" }, label),
    make("span", { class: "chat-option-detail" }, detail));
}

/**
 * A list for a `field` that keeps the focus: the field's aria-activedescendant says which option is active.
 * Items are {label, detail}; `choose(item)` is called with the chosen one, `changed(open)` when it opens or closes.
 */
export function createListbox({ field, label, choose, changed = () => {} }) {
  const id = uniqueId();
  const list = make("ul", { role: "listbox", id, "aria-label": label, class: "chat-list", hidden: true });
  let items = [];
  let active = -1;

  const activate = (index) => {
    list.children[active]?.setAttribute("aria-selected", "false");
    active = index;
    const node = list.children[active];
    if (!node) return field.removeAttribute("aria-activedescendant");
    node.setAttribute("aria-selected", "true");
    field.setAttribute("aria-activedescendant", node.id);
    return node.scrollIntoView({ block: "nearest" });
  };
  const show = (given, first = 0) => {
    items = given;
    list.replaceChildren(...items.map((item, index) => option(item, `${id}-${index}`)));
    list.hidden = items.length === 0;
    changed(!list.hidden);
    activate(list.hidden ? -1 : first);
  };
  const hide = () => {
    if (!list.hidden) show([]);
  };
  const take = (index) => {
    const item = items[index];
    hide();
    if (item) choose(item);
  };

  list.addEventListener("mousedown", (event) => event.preventDefault()); // the field keeps the focus
  list.addEventListener("click", (event) => {
    const node = event.target.closest("[role=option]");
    if (node) take([...list.children].indexOf(node));
  });

  return {
    list,
    show,
    hide,
    get open() { return !list.hidden; },
    /** Handles a key of the field; gives whether it meant the list. */
    key(event) {
      if (list.hidden || isComposing(event)) return false;
      if (STEPS[event.key]) {
        const next = active + STEPS[event.key];
        const wraps = Math.abs(STEPS[event.key]) === 1;
        activate(wraps ? (next + items.length) % items.length : Math.min(Math.max(next, 0), items.length - 1));
      } else if ((event.key === "Enter" || event.key === "Tab") && !event.shiftKey && active >= 0) take(active);
      else if (event.key === "Escape") hide();
      else return false;
      event.preventDefault();
      event.stopPropagation();
      return true;
    },
  };
}

/**
 * A field that shows what is chosen, and searches when typed into. `load(words)` promises items {label, detail, ...};
 * an empty result is said in the list's place by `nothing`. What is `costly` is searched for when typing begins and
 * when it pauses, not at every letter.
 */
export function createCombobox({ label, load, choose, nothing, costly = false }) {
  const field = make("input", {
    type: "text", role: "combobox", class: "chat-combobox", "aria-label": label, "aria-expanded": "false",
    "aria-autocomplete": "list", autocomplete: "off", spellcheck: "false", dir: "auto",
  });
  const empty = make("div", { class: "chat-list chat-nothing", role: "status", hidden: true });
  const box = make("div", { class: "chat-combo" }, field, icon("chevron"), empty);
  let shown = "";
  let asked = 0;
  let wanted; // the words that a person looks for now; undefined where nobody does
  let sought; // those that were searched for last
  let found; // those that the list is of
  let pause = 0;

  const listbox = createListbox({
    field,
    label: `${label} list`,
    choose(item) {
      close();
      choose(item);
    },
    changed: (open) => field.setAttribute("aria-expanded", String(open)),
  });
  field.setAttribute("aria-controls", listbox.list.id);
  box.append(listbox.list);

  const say = (text) => {
    empty.hidden = !text;
    empty.textContent = text;
  };
  const close = () => {
    asked += 1; // what is still on its way is not shown
    clearTimeout(pause);
    pause = 0;
    wanted = found = undefined;
    listbox.hide();
    say("");
    field.value = shown;
  };
  const search = async (words) => {
    asked += 1;
    const serial = asked;
    sought = words;
    try {
      const items = await load(words);
      if (serial !== asked) return;
      found = words;
      listbox.show(items, Math.max(0, items.findIndex((item) => item.current)));
      say(items.length ? "" : nothing);
    } catch (error) {
      if (serial !== asked) return;
      found = words;
      listbox.hide();
      say(error.message);
    }
  };
  const open = () => {
    if (listbox.open) return;
    field.select();
    wanted = "";
    search("");
  };
  const catchUp = () => {
    clearTimeout(pause);
    pause = 0;
    if (wanted !== sought) search(wanted);
  };
  const typed = () => {
    wanted = field.value.trim();
    if (!costly || !pause) search(wanted);
    clearTimeout(pause);
    pause = setTimeout(catchUp, PAUSE_MS);
  };

  field.addEventListener("click", open);
  field.addEventListener("input", typed);
  field.addEventListener("blur", close);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && (listbox.open || !empty.hidden || field.value !== shown)) {
      event.stopPropagation();
      close();
    } else if (wanted !== found && ["Enter", "Tab"].includes(event.key) && !isComposing(event)) {
      if (event.key === "Tab") return; // nothing is chosen from a list of other words
      event.preventDefault();
      catchUp();
    } else if (listbox.key(event)) return;
    else if (["ArrowDown", "ArrowUp", "Enter"].includes(event.key) && !isComposing(event)) {
      event.preventDefault();
      open();
    }
  });

  return {
    box,
    field,
    set(text) {
      if (text === shown) return;
      if (field.value === shown) field.value = text;
      shown = text;
      field.title = text;
    },
  };
}

/** A button with a menu; `items()` gives {label, run} when it opens. */
export function createMenu(button, items) {
  const menu = make("div", { role: "menu", id: uniqueId(), class: "chat-list chat-menu", "aria-label": button.ariaLabel, hidden: true });
  const box = make("div", { class: "chat-anchor" }, button, menu);
  button.setAttribute("aria-haspopup", "menu");
  button.setAttribute("aria-controls", menu.id);
  button.setAttribute("aria-expanded", "false");

  const close = (refocus) => {
    menu.hidden = true;
    button.setAttribute("aria-expanded", "false");
    if (refocus) button.focus();
  };
  const entry = ({ label, run }) => make("button", {
    type: "button", role: "menuitem", tabindex: "-1", class: "chat-option",
    onclick() {
      close(true);
      run();
    },
  }, label);
  const open = () => {
    menu.replaceChildren(...items().map(entry));
    menu.hidden = false;
    button.setAttribute("aria-expanded", "true");
    menu.firstElementChild.focus();
  };
  const move = (event, by) => {
    const entries = [...menu.children];
    const from = entries.indexOf(event.target);
    const to = { Home: 0, End: entries.length - 1 }[event.key] ?? (from + by + entries.length) % entries.length;
    entries[to].focus();
    event.preventDefault();
  };

  button.addEventListener("click", () => (menu.hidden ? open() : close(true)));
  button.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown") return;
    event.preventDefault();
    open();
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.stopPropagation();
      close(true);
    } else if (event.key === "Tab") close(true);
    else if (["Home", "End"].includes(event.key) || Math.abs(STEPS[event.key]) === 1) move(event, STEPS[event.key] ?? 0);
  });
  box.addEventListener("focusout", ({ relatedTarget }) => {
    if (!menu.hidden && !box.contains(relatedTarget)) close(false);
  });
  return box;
}
