// Where a message is written: a field that grows, with completions, history, a draft that outlives a reload, and files.

import { createAttachments } from "./attachments.js";
import { icon, iconButton, isComposing, make, update } from "../core/dom.js";
import { createDrafts, joinDrafts } from "./drafts.js";
import { createListbox } from "../core/listbox.js";

const COMPLETE_AFTER_MS = 80;
const TOKENS = [
  /^\/\S*$/, // a command at the very beginning
  /(?<=^|[\s([{"'])@(?:[^\s@"][^\s@]*)?$/, // anything mentioned
  /(?<=^|[\s([{])@"(?:[^\s"][^"\n]*)?(?:(?<=\/)"[^\s@"]*)?$/, // the same with blanks, and what is in a folder
];
const HINTS = {
  idle: "Ask; / commands, @ files, ! shell",
  busy: "Enter queues, Ctrl+Enter steers",
  shell: "A shell command in the project",
};

/** The word with its sign that ends at the cursor; "" where nothing is to be completed. */
function tokenAt(field) {
  if (field.selectionStart !== field.selectionEnd || field.value.startsWith("!")) return "";
  const before = field.value.slice(0, field.selectionStart);
  return TOKENS.map((token) => token.exec(before)?.[0]).find(Boolean) ?? "";
}

/** What can be chosen for the word at the cursor, while it is typed. */
function createCompletion({ field, ask }) {
  let timer = 0;
  let asked = 0;
  let token = "";
  const listbox = createListbox({
    field,
    label: "Suggestions",
    choose({ text }) {
      const end = field.selectionStart;
      const more = /\/"?$/.test(text) ? "" : " "; // a folder is gone into
      field.setRangeText(text + more, end - token.length, end, "end");
      field.dispatchEvent(new Event("input"));
    },
  });
  const look = async () => {
    asked += 1;
    const serial = asked;
    const wanted = tokenAt(field);
    if (!wanted) return listbox.hide();
    const items = await ask("complete", { text: wanted }).catch(() => []); // no suggestions is all that is lost
    if (serial !== asked || tokenAt(field) !== wanted) return undefined;
    token = wanted;
    return listbox.show(items.map((item) => ({ ...item, label: item.text })));
  };
  return {
    list: listbox.list,
    key: listbox.key,
    hide() {
      asked += 1;
      clearTimeout(timer);
      listbox.hide();
    },
    typed() {
      clearTimeout(timer);
      if (!tokenAt(field)) return this.hide();
      timer = setTimeout(look, COMPLETE_AFTER_MS);
      return undefined;
    },
  };
}

/** Earlier messages, by Up at the field's beginning and Down at its end; what was being written comes after the last. */
function createHistory(field, earlier, write) {
  let position = 0; // how many messages back
  let own = "";
  const go = (step) => {
    const messages = earlier();
    const next = Math.min(Math.max(position + step, 0), messages.length);
    if (next === position) return false;
    if (position === 0) own = field.value;
    position = next;
    write(position ? messages.at(-position) : own);
    return true;
  };
  return {
    reset() { position = 0; },
    /** Goes back to what was being written. */
    leave() { go(-position); },
    key(event) {
      if (event.shiftKey || event.altKey || event.ctrlKey || event.metaKey || isComposing(event)) return false;
      const { selectionStart, selectionEnd, value } = field;
      if (event.key === "ArrowUp" && selectionEnd === 0) return go(1);
      if (event.key === "ArrowDown" && position && selectionStart === value.length) return go(-1);
      return false;
    },
  };
}

function roundButton(name, label, onclick, attributes = {}) {
  return make("button", { type: "button", class: "chat-send", "aria-label": label, onclick, ...attributes }, icon(name));
}

/** The button that attaches files, and the browser's own dialog behind it. */
function createChooser(attachments) {
  const chooser = make("input", { type: "file", multiple: true, hidden: true, tabindex: "-1", onchange() {
    attachments.add(chooser.files);
    chooser.value = "";
  } });
  return { chooser, attach: iconButton("attach", "Attach files", () => chooser.click()) };
}

function takePasted(field, attachments) {
  field.addEventListener("paste", (event) => {
    const { files, types } = event.clipboardData;
    if (!files.length || types.includes("text/plain")) return; // copied cells of a sheet come as text, and as a picture
    event.preventDefault();
    attachments.add(files);
  });
}

function onResize(node, listener, signal) {
  const observer = new ResizeObserver(listener);
  observer.observe(node);
  signal.addEventListener("abort", () => observer.disconnect());
}

/**
 * The composer. `earlier()` gives the texts of earlier messages, oldest first; `sent()` is called when one was sent.
 * `pickers` are shown in its lower row.
 */
export function createComposer({ client, signal, notices, earlier, sent, pickers }) {
  const field = make("textarea", { rows: "1", class: "chat-field", "aria-label": "Message", dir: "auto", "aria-autocomplete": "list" });
  const attachments = createAttachments({
    refuse: (text) => (text ? notices.show("attachments", text, { alert: true }) : notices.hide("attachments")),
    changed: () => enable(),
    focusMessage: () => field.focus(),
  });
  const { chooser, attach } = createChooser(attachments);
  const send = roundButton("send", "Send", () => submit(busy ? "queue" : "auto"));
  const stop = roundButton("stop", "Stop", () => {
    client.tell("stop");
    field.focus(); // the button goes when it has worked
  }, { class: "chat-send chat-stop", title: "Stop", hidden: true });
  const completion = createCompletion({ field, ask: client.ask });
  const row = make("div", { class: "chat-row" }, attach, ...pickers, make("span", { class: "chat-space" }), stop, send);
  const box = make("div", { class: "chat-composer" }, completion.list, attachments.box, field, row, chooser);
  const drafts = createDrafts();
  let session = "";
  let busy = false;
  let undone = ""; // the text of the first message that is undone, which may be written anew

  const isShell = () => field.value.startsWith("!");
  const grow = () => {
    field.style.height = "auto";
    if (field.scrollHeight) field.style.height = `${field.scrollHeight}px`; // nothing has a height before it is shown
  };
  const enable = () => {
    update(send, { disabled: !field.value.trim() && attachments.count === 0 });
    box.classList.toggle("chat-shell", isShell());
    update(field, { placeholder: busy ? HINTS.busy : HINTS.idle, title: isShell() ? HINTS.shell : "" });
    update(send, { title: busy ? "Send when the turn has ended (Enter), or at once (Ctrl+Enter)" : "Send (Enter)" });
  };
  const changed = () => {
    grow();
    enable();
    drafts.set(session, field.value);
  };
  const write = (text) => {
    field.value = text;
    changed();
  };
  /** Offers an undone message where nothing else is written; what was offered goes when the message comes back. */
  const offer = (text) => {
    const free = (!field.value.trim() && attachments.count === 0) || field.value === undone;
    if (text !== undone && free && text !== field.value) write(text);
    undone = text;
  };
  const history = createHistory(field, earlier, (text) => {
    write(text);
    field.setSelectionRange(text.length, text.length);
  });

  /** Puts back what could not be sent, beside what was written meanwhile: the cursor stays in that. */
  const giveBack = (id, text) => {
    if (id !== session) return drafts.set(id, joinDrafts(text, drafts.get(id)));
    history.leave();
    const { value: written, selectionStart: start, selectionEnd: end } = field;
    const all = joinDrafts(text, written);
    const moved = all.length - written.length;
    write(all);
    if (all.endsWith(written)) field.setSelectionRange(start + moved, end + moved);
    else field.setSelectionRange(start, end);
    return undefined;
  };
  const deliver = async (id, message) => {
    const files = message.mode === "shell" ? [] : await attachments.take(id); // a shell command leaves them to the next message
    if (!files) return false;
    if (id !== session) { // it would go to the session that is open now
      attachments.give(id, files);
      notices.show("unsent", "Not sent: another session was opened while its files were read. The message waits in its session.", { alert: true });
      return false;
    }
    const carried = files.map(({ name, mime, data }) => ({ name, mime, data }));
    const done = await client.tell("send", { ...message, attachments: carried });
    if (!done) attachments.give(id, files);
    return done;
  };
  const submit = async (mode) => {
    const written = field.value;
    const text = written.trim();
    if (!text && attachments.count === 0) return;
    const message = isShell() ? { mode: "shell", text: text.slice(1).trim() } : { mode, text };
    const id = session;
    completion.hide();
    history.reset();
    write("");
    const settled = drafts.leaves(id, written);
    field.focus();
    sent();
    const done = await deliver(id, message);
    settled();
    if (!done) giveBack(id, written);
  };

  onResize(row, grow, signal); // shown, or wrapped anew; the row's height does not depend on the field's
  field.addEventListener("input", () => {
    history.reset();
    changed();
    completion.typed();
  });
  field.addEventListener("blur", () => completion.hide());
  field.addEventListener("keydown", (event) => {
    if (completion.key(event)) return;
    if (event.key === "Enter" && !event.shiftKey && !event.altKey && !isComposing(event)) {
      event.preventDefault();
      if (busy) submit(event.ctrlKey || event.metaKey ? "steer" : "queue");
      else submit("auto");
    } else if (history.key(event)) event.preventDefault();
  });
  takePasted(field, attachments);

  return {
    box,
    field,
    /** Takes files dropped anywhere on the panel. */
    drop: (files) => attachments.add(files),
    giveBack,
    show(state) {
      busy = state.busy;
      update(stop, { hidden: !busy });
      const id = state.session?.id ?? "";
      if (id !== session) {
        history.leave();
        session = id;
        undone = state.undone ?? "";
        attachments.show(id);
        write(drafts.get(id));
      }
      offer(state.undone ?? "");
      enable();
    },
  };
}
