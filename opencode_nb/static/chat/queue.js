// Messages that wait for the running turn to end: show, edit, send now, or remove them.

/** @import { QueueItem, State } from "./types.js" */
/** @import { Client } from "./client.js" */
/** @import { Notices } from "./notices.js" */

import { icon, iconButton } from "../core/buttons.js";
import { activeIn, isComposing, make, queryAll, setChildren } from "../core/dom.js";

const HOLD_MS = 30_000; // often enough in a hidden page, too: Python sends a held message after two minutes of silence
const REMOVE = "Remove from queue";

/** @typedef {ReturnType<typeof createQueueEditor>} Editor */
/** @typedef {{ node: HTMLElement, text: string, editor?: Editor }} Row */

/**
 * Make the field in which a queued message is edited. The message is not sent until `end` is called.
 *
 * @param {object} options
 * @param {Client} options.client
 * @param {QueueItem} options.item
 * @param {string} options.session
 * @param {() => void} options.save
 * @param {() => void} options.cancel
 */
function createQueueEditor({ client, item, session, save, cancel }) {
  const field = make("textarea", {
    class: "chat-queue-field", "aria-label": "Queued message", title: "Enter to save, Escape to cancel", dir: "auto", rows: "2",
    onkeydown(/** @type {KeyboardEvent} */ event) {
      if (isComposing(event)) return;
      if (event.key === "Escape") {
        event.stopPropagation();
        cancel();
      }
      if (event.key !== "Enter" || event.shiftKey) return;
      event.preventDefault();
      if (!field.readOnly) save();
    },
  });
  field.value = item.text;
  const hold = () => client.tell("queue_hold", { item: item.id });
  const timer = setInterval(hold, HOLD_MS);
  hold();
  return {
    field,
    get changed() { return field.value.trim() !== item.text; },
    release: () => client.tell("queue_release", { item: item.id, session }),
    end: () => clearInterval(timer),
  };
}

/**
 * @param {Element | undefined} node
 * @param {string | null | undefined} label
 */
function buttonOf(node, label) {
  return node && queryAll(node, "button").find((button) => button.ariaLabel === label);
}

/**
 * Run `change`. If it removes the row that has the focus, focus the same button of a neighbour.
 *
 * @param {HTMLElement} box
 * @param {Map<string, Row>} rows
 * @param {() => void} change
 * @param {() => void} focusMessage takes the focus when no row is left for it
 */
function keepRowFocus(box, rows, change, focusMessage) {
  const focused = activeIn(box);
  const index = [...box.children].findIndex((node) => node.contains(focused));
  const id = [...rows.keys()].find((key) => rows.get(key)?.node === box.children[index]);
  change();
  if (index < 0 || box.contains(focused)) return;
  const neighbour = focused?.ariaLabel === REMOVE ? box.children[Math.min(index, box.children.length - 1)] : undefined;
  const button = buttonOf((id === undefined ? undefined : rows.get(id)?.node) ?? neighbour, focused?.ariaLabel);
  if (button) button.focus();
  else focusMessage();
}

/**
 * Make what edits queued messages in their rows.
 *
 * @param {object} options
 * @param {Client} options.client
 * @param {Notices} options.notices
 * @param {Map<string, Row>} options.rows
 * @param {(id: string) => void} options.redraw draws a row again after its editor has ended
 * @param {(session: string, text: string) => void} options.giveBack takes an edit whose message no longer waits
 */
function createEditing({ client, notices, rows, redraw, giveBack }) {
  /**
   * @param {Editor} editor
   * @param {string} session
   */
  const rescue = (editor, session) => {
    editor.end();
    if (!editor.changed) return;
    giveBack(session, editor.field.value);
    notices.show("queue", "The message that you edited is no longer queued. Your text is kept in the message field of its session.", { alert: true });
  };
  /**
   * @param {QueueItem} item
   * @param {string} session
   */
  const edit = (item, session) => {
    const row = rows.get(item.id);
    if (!row) return;
    const editor = createQueueEditor({ client, item, session, save, cancel });
    row.editor = editor;
    const end = () => {
      editor.end();
      row.editor = undefined;
      if (rows.get(item.id) === row) redraw(item.id);
    };
    async function save() {
      editor.field.readOnly = true;
      const done = await client.tell("queue_edit", { item: item.id, text: editor.field.value.trim() });
      editor.field.readOnly = false;
      if (done) end();
      else if (rows.get(item.id) !== row) rescue(editor, session);
    }
    function cancel() {
      editor.release();
      end();
    }
    row.node.replaceChildren(editor.field);
    editor.field.focus();
  };
  return { edit, rescue };
}

/**
 * Make the list of queued messages.
 *
 * @param {object} options
 * @param {Client} options.client
 * @param {AbortSignal} options.signal
 * @param {Notices} options.notices
 * @param {(session: string, text: string) => void} options.giveBack takes an edit whose message no longer waits
 * @param {() => void} options.focusMessage takes the focus when no row is left for it
 */
export function createQueue({ client, signal, notices, giveBack, focusMessage }) {
  const box = make("ul", { class: "chat-queue", "aria-label": "Queued messages", hidden: true });
  /** @type {Map<string, Row>} */
  const rows = new Map();
  let session = "";
  /** @type {QueueItem[]} */
  let shown = [];

  /** @param {string} id */
  const redraw = (id) => {
    const item = shown.find((one) => one.id === id);
    const row = rows.get(id);
    if (!item || !row) return;
    const drawn = makeRow(item);
    row.node.replaceWith(drawn);
    buttonOf(drawn, "Edit")?.focus();
  };
  const { edit, rescue } = createEditing({ client, notices, rows, redraw, giveBack });
  /** @param {QueueItem} item */
  const makeRow = (item) => {
    const node = make("li", { class: "chat-queue-item" },
      make("span", { class: "chat-queue-text", dir: "auto", title: item.text }, item.text),
      ...(item.files ? [make("span", { class: "chat-queue-files", title: item.files }, icon("attach"), item.files)] : []),
      iconButton("send", "Send now", () => client.tell("queue_send", { item: item.id })),
      iconButton("edit", "Edit", () => edit(item, session)),
      iconButton("close", REMOVE, () => client.tell("queue_drop", { item: item.id })));
    rows.set(item.id, { node, text: item.text });
    return node;
  };
  /** @param {string} id */
  const leave = (id) => {
    const editor = rows.get(id)?.editor;
    rows.delete(id);
    if (editor && !editor.field.readOnly) rescue(editor, session); // else its save says what becomes of it
  };
  /** @param {QueueItem[]} items */
  const draw = (items) => {
    const ids = new Set(items.map(({ id }) => id));
    for (const id of rows.keys()) if (!ids.has(id)) leave(id);
    const wanted = items.map((item) => {
      const known = rows.get(item.id);
      return known && (known.text === item.text || known.editor) ? known.node : makeRow(item);
    });
    setChildren(box, wanted);
    box.hidden = items.length === 0;
  };
  const editors = () => [...rows.values()].flatMap(({ editor }) => editor ?? []);

  window.addEventListener("pagehide", () => editors().forEach((editor) => editor.release()), { signal });
  signal.addEventListener("abort", () => editors().forEach((editor) => {
    editor.release();
    editor.end();
  }));

  return {
    box,
    /** @param {State} state */
    show({ queue: items = [], paused, session: of }) {
      const id = of?.id ?? "";
      if (paused) notices.show("paused", paused, { lasting: true, action: ["Resume", () => client.tell("queue_resume")] });
      else notices.hide("paused");
      keepRowFocus(box, rows, () => {
        if (id !== session) editors().forEach((editor) => editor.release());
        shown = items;
        draw(items);
        session = id;
      }, focusMessage);
    },
  };
}
