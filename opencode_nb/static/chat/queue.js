// Messages that wait for the running turn to end: seen, changed, sent at once, or taken out.

import { icon, iconButton, isComposing, make, setChildren } from "../core/dom.js";

const HOLD_MS = 30_000; // often enough in a hidden page, too: Python lets a message go two minutes after the last word
const REMOVE = "Remove from queue";

/** The field in which a waiting message is edited; it is not sent until `end` is called. */
function createQueueEditor({ client, item, session, save, cancel }) {
  const field = make("textarea", {
    class: "chat-queue-field", "aria-label": "Queued text", title: "Enter keeps it, Escape does not", dir: "auto", rows: "2",
    onkeydown(event) {
      if (isComposing(event)) return;
      if (event.key === "Escape") cancel();
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

/** `giveBack(session, text)` takes an edit whose message no longer waits; `focusMessage` the focus that has no place here. */
export function createQueue({ client, signal, notices, giveBack, focusMessage }) {
  const box = make("ul", { class: "chat-queue", "aria-label": "Waiting messages", hidden: true });
  const rows = new Map(); // id -> {node, text, editor}
  let session = "";
  let shown = [];

  const redraw = (id) => {
    const { node } = rows.get(id);
    const drawn = row(shown.find((item) => item.id === id));
    node.replaceWith(drawn);
    buttonOf(drawn, "Edit").focus();
  };
  const edit = (item) => {
    const known = rows.get(item.id);
    const { editor } = Object.assign(known, { editor: createQueueEditor({ client, item, session, save, cancel }) });
    const here = session;
    const end = () => {
      editor.end();
      known.editor = undefined;
      if (rows.get(item.id) === known) redraw(item.id);
    };
    async function save() {
      editor.field.readOnly = true;
      const done = await client.tell("queue_edit", { item: item.id, text: editor.field.value.trim() });
      editor.field.readOnly = false;
      if (done) end();
      else if (rows.get(item.id) !== known) rescue(editor, here);
    }
    function cancel() {
      editor.release();
      end();
    }
    known.node.replaceChildren(editor.field);
    editor.field.focus();
  };
  const rescue = (editor, of) => {
    editor.end();
    if (!editor.changed) return;
    giveBack(of, editor.field.value);
    notices.show("queue", "The message that you edited no longer waits here. Your text is in its session\u2019s message box.", { alert: true });
  };
  const row = (item) => {
    const node = make("li", { class: "chat-queue-item" },
      make("span", { class: "chat-queue-text", dir: "auto", title: item.text }, item.text),
      ...(item.files ? [make("span", { class: "chat-queue-files", title: item.files }, icon("attach"), item.files)] : []),
      iconButton("send", "Steer now", () => client.tell("queue_send", { item: item.id })),
      iconButton("edit", "Edit", () => edit(item)),
      iconButton("close", REMOVE, () => client.tell("queue_drop", { item: item.id })));
    rows.set(item.id, { node, text: item.text });
    return node;
  };
  const buttonOf = (node, label) => [...node?.querySelectorAll("button") ?? []].find((button) => button.ariaLabel === label);

  /** Runs `change`; where it takes the focused row away, the focus goes to the same button of a neighbour. */
  const keepRowFocus = (change) => {
    const focused = box.getRootNode().activeElement;
    const index = [...box.children].findIndex((node) => node.contains(focused));
    const id = [...rows.keys()].find((key) => rows.get(key).node === box.children[index]);
    change();
    if (index < 0 || box.contains(focused)) return;
    const near = rows.get(id)?.node ?? (focused.ariaLabel === REMOVE && box.children[Math.min(index, box.children.length - 1)]);
    (near && buttonOf(near, focused.ariaLabel) || { focus: focusMessage }).focus();
  };
  const leave = (id) => {
    const { editor } = rows.get(id);
    rows.delete(id);
    if (editor && !editor.field.readOnly) rescue(editor, session); // else its save tells what becomes of it
  };
  const draw = (items) => {
    const ids = new Set(items.map(({ id }) => id));
    for (const id of rows.keys()) if (!ids.has(id)) leave(id);
    const wanted = items.map((item) => {
      const known = rows.get(item.id);
      return known && (known.text === item.text || known.editor) ? known.node : row(item);
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
    show({ queue: items = [], paused, session: of }) {
      const id = of?.id ?? "";
      if (paused) notices.show("paused", paused, { lasting: true, action: ["Go on", () => client.tell("queue_resume")] });
      else notices.hide("paused");
      keepRowFocus(() => {
        if (id !== session) editors().forEach((editor) => editor.release());
        shown = items;
        draw(items);
        session = id;
      });
    },
  };
}
