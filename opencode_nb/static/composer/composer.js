// Where a message is written: a field that grows, with completion, history, a draft that survives a reload, and files.

/** @import { Attachments } from "./attachments.js" */
/** @import { Client } from "../chat/client.js" */
/** @import { Notices } from "../chat/notices.js" */
/** @import { State } from "../chat/types.js" */
/** @import { Attributes } from "../core/dom.js" */
/** @import { IconName } from "../core/buttons.js" */

import { createAttachments } from "./attachments.js";
import { createCompletion } from "./completion.js";
import { createMessageText } from "./message_text.js";
import { icon, iconButton } from "../core/buttons.js";
import { isComposing, make, update } from "../core/dom.js";

const HINTS = {
  idle: "Ask anything (/ commands, @ files, ! shell)",
  plain: "Ask anything (/ commands, @ files)",
  busy: "Enter to queue, Ctrl+Enter to send now",
  shell: "Runs as a shell command in the project",
};

/** @typedef {"auto" | "queue" | "steer" | "shell"} Mode */

/**
 * @param {IconName} name
 * @param {string} label
 * @param {() => void} onclick
 * @param {Attributes} [attributes]
 */
function roundButton(name, label, onclick, attributes = {}) {
  return make("button", { type: "button", class: "chat-send", "aria-label": label, onclick, ...attributes }, icon(name));
}

/**
 * Make the button that attaches files, and the browser's own dialog behind it.
 *
 * @param {Attachments} attachments
 */
function createChooser(attachments) {
  const chooser = make("input", { type: "file", multiple: true, hidden: true, tabindex: "-1", onchange() {
    attachments.add(chooser.files ?? []);
    chooser.value = "";
  } });
  return { chooser, attach: iconButton("attach", "Attach files", () => chooser.click()) };
}

/**
 * Make the button that adds the notebook's selected cells. It is hidden where there is no notebook.
 *
 * @param {Attachments} attachments
 * @param {Notices} notices
 * @param {() => { id: string, index: number }[]} selected
 */
function createCellsButton(attachments, notices, selected) {
  return iconButton("cells", "Use selected cells", () => {
    const cells = selected();
    if (cells.length > 0) attachments.addCells(cells);
    else notices.show("attachments", "No cells are selected: click beside a cell in the notebook, with Shift for several.", { alert: true });
  }, { hidden: true });
}

/**
 * Attach pasted files.
 *
 * @param {HTMLTextAreaElement} field
 * @param {Attachments} attachments
 */
function takePasted(field, attachments) {
  field.addEventListener("paste", (event) => {
    const { files = [], types = [] } = event.clipboardData ?? {};
    if (!files.length || types.includes("text/plain")) return; // spreadsheet cells come as text, and as a picture
    event.preventDefault();
    attachments.add(files);
  });
}

/**
 * @param {HTMLElement} node
 * @param {() => void} listener
 * @param {AbortSignal} signal
 */
function onResize(node, listener, signal) {
  const observer = new ResizeObserver(listener);
  observer.observe(node);
  signal.addEventListener("abort", () => observer.disconnect());
}

/** @param {HTMLTextAreaElement} field */
function grow(field) {
  field.style.height = "auto";
  if (field.scrollHeight) field.style.height = `${field.scrollHeight}px`; // nothing has a height before it is shown
}

/**
 * Turn what is in the field into what is sent: a `!` at the beginning makes it a shell command.
 *
 * @param {string} written
 * @param {Mode} mode
 * @returns {{ mode: Mode, text: string }}
 */
export function messageOf(written, mode) {
  const text = /^\s+\//.test(written) ? written.trimEnd() : written.trim(); // a space before it: not a command
  return written.startsWith("!") ? { mode: "shell", text: text.slice(1).trim() } : { mode, text };
}

/**
 * Make what sends a message with its files.
 *
 * @param {object} options
 * @param {Client} options.client
 * @param {Notices} options.notices
 * @param {Attachments} options.attachments
 * @param {(session: string) => boolean} options.isOpen whether this session is still the one that is shown
 */
function createDelivery({ client, notices, attachments, isOpen }) {
  /**
   * @param {string} session
   * @param {{ mode: Mode, text: string }} message
   * @returns {Promise<boolean>} whether it was sent
   */
  return async (session, message) => {
    const files = message.mode === "shell" ? [] : await attachments.take(session); // a shell command leaves them for the next
    if (!files) return false;
    if (!isOpen(session)) { // it would go to the session that is open now
      attachments.give(session, files);
      notices.show("unsent", "Not sent: another session was opened while its files were read. The message is kept in its session.", { alert: true });
      return false;
    }
    const carried = files.filter((file) => !file.cells).map(({ name, mime, data }) => ({ name, mime, data }));
    const cells = files.flatMap((file) => file.cells ?? []);
    const done = await client.tell("send", { ...message, attachments: carried, ...(cells.length > 0 ? { cells } : {}) });
    if (!done) attachments.give(session, files);
    return done;
  };
}

/**
 * Make the composer.
 *
 * @param {object} options
 * @param {Client} options.client
 * @param {AbortSignal} options.signal
 * @param {Notices} options.notices
 * @param {() => string[]} options.earlier the texts of earlier messages, oldest first
 * @param {() => void} options.sent called when a message was sent
 * @param {HTMLElement[]} options.pickers shown in the lower row
 * @param {() => { id: string, index: number }[]} options.selected the notebook's selected cells
 */
export function createComposer({ client, signal, notices, earlier, sent, pickers, selected }) {
  const field = make("textarea", { rows: "1", class: "chat-field", "aria-label": "Message", dir: "auto", "aria-autocomplete": "list" });
  const attachments = createAttachments({
    refuse: (text) => (text ? notices.show("attachments", text, { alert: true }) : notices.hide("attachments")),
    changed: () => enable(),
    focusMessage: () => field.focus(),
  });
  const { chooser, attach } = createChooser(attachments), useCells = createCellsButton(attachments, notices, selected);
  const send = roundButton("send", "Send", () => submit(busy ? "queue" : "auto"));
  const stop = roundButton("stop", "Stop", () => {
    client.tell("stop");
    field.focus(); // the button goes when it has worked
  }, { class: "chat-send chat-stop", title: "Stop (Esc)", hidden: true });
  const completion = createCompletion({ field, ask: client.ask });
  const row = make("div", { class: "chat-row" }, attach, useCells, ...pickers, make("span", { class: "chat-space" }), stop, send);
  const box = make("div", { class: "chat-composer" }, completion.list, attachments.box, field, row, chooser);
  let busy = false, idle = HINTS.idle;

  const enable = () => {
    const isShell = field.value.startsWith("!");
    update(send, { disabled: field.readOnly || (!field.value.trim() && attachments.count === 0) });
    box.classList.toggle("chat-shell", isShell);
    update(field, { placeholder: busy ? HINTS.busy : idle, title: isShell ? HINTS.shell : "" });
    update(send, { title: busy ? "Send after this turn (Enter), or now (Ctrl+Enter)" : "Send (Enter)" });
  };
  const text = createMessageText({
    field,
    earlier,
    changed() {
      grow(field);
      enable();
    },
    hasFiles: () => attachments.count > 0,
  });
  const deliver = createDelivery({ client, notices, attachments, isOpen: (session) => session === text.session });
  /** @param {Mode} mode */
  const submit = async (mode) => {
    const written = field.value;
    if (field.readOnly || (!written.trim() && attachments.count === 0)) return; // read-only while there is no kernel
    const { session } = text;
    completion.hide();
    notices.hide("result");
    const settled = text.send();
    field.focus();
    sent();
    const done = await deliver(session, messageOf(written, mode));
    settled();
    if (!done) text.giveBack(session, written);
  };

  onResize(row, () => grow(field), signal); // shown or wrapped; the row's height does not depend on the field's
  field.addEventListener("input", () => {
    text.typed();
    completion.typed();
  });
  field.addEventListener("blur", completion.hide);
  field.addEventListener("keydown", (event) => {
    if (completion.key(event)) return;
    if (event.key === "Enter" && !event.shiftKey && !event.altKey && !isComposing(event)) {
      event.preventDefault();
      if (busy) submit(event.ctrlKey || event.metaKey ? "steer" : "queue");
      else submit("auto");
    } else if (text.key(event)) event.preventDefault();
  });
  takePasted(field, attachments);

  return {
    box,
    field,
    /**
     * Take files that are dropped anywhere on the panel.
     *
     * @param {Iterable<File>} files
     */
    drop: (files) => attachments.add(files),
    /** @param {boolean} there whether there is a notebook, whose cells can be used */
    offerCells: (there) => update(useCells, { hidden: !there }),
    giveBack: text.giveBack,
    /** Suggest all commands, where nothing else is written. */
    suggest() {
      if (field.value.trim()) return false;
      field.value = "/";
      field.focus();
      field.dispatchEvent(new Event("input"));
      return true;
    },
    /** @param {State} state */
    show(state) {
      [busy, idle] = [Boolean(state.busy), state.lacks?.shell ? HINTS.plain : HINTS.idle];
      update(stop, { hidden: !busy });
      const session = state.session?.id ?? "";
      if (session !== text.session) {
        attachments.show(session);
        text.open(session, state.undone ?? "");
      }
      text.offer(state.undone ?? "");
      enable();
    },
  };
}
