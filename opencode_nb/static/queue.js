// Messages that wait for the running turn to end: seen, changed, sent at once, or taken out.

import { icon, iconButton, isComposing, make } from "./dom.js";

export function createQueue({ client, notices }) {
  const box = make("ul", { class: "chat-queue", "aria-label": "Waiting messages", hidden: true });
  const rows = new Map(); // id -> {node, text}
  const editing = new Set();

  const edit = (item, node) => {
    const end = () => {
      editing.delete(item.id);
      rows.delete(item.id);
      node.replaceWith(row(item));
    };
    const field = make("textarea", {
      class: "chat-queue-field", "aria-label": "Queued text", title: "Enter keeps it, Escape does not", dir: "auto", rows: "2",
      onkeydown(event) {
        if (event.key === "Escape") end();
        if (event.key !== "Enter" || event.shiftKey || isComposing(event)) return;
        event.preventDefault();
        client.tell("queue_edit", { item: item.id, text: field.value.trim() });
        end();
      },
    });
    field.value = item.text;
    editing.add(item.id);
    node.replaceChildren(field);
    field.focus();
  };
  const row = (item) => {
    const node = make("li", { class: "chat-queue-item" },
      make("span", { class: "chat-queue-text", dir: "auto", title: item.text }, item.text),
      ...(item.files ? [make("span", { class: "chat-queue-files", title: item.files }, icon("attach"), item.files)] : []),
      iconButton("send", "Steer now", () => client.tell("queue_send", { item: item.id })),
      iconButton("edit", "Edit", () => edit(item, node)),
      iconButton("close", "Remove from queue", () => client.tell("queue_drop", { item: item.id })));
    rows.set(item.id, { node, text: item.text });
    return node;
  };

  return {
    box,
    show({ queue: items = [], paused }) {
      if (paused) notices.show("paused", paused, { lasting: true, action: ["Go on", () => client.tell("queue_resume")] });
      else notices.hide("paused");
      const wanted = items.map((item) => {
        const known = rows.get(item.id);
        return known && (known.text === item.text || editing.has(item.id)) ? known.node : row(item);
      });
      const ids = new Set(items.map(({ id }) => id));
      for (const id of rows.keys()) if (!ids.has(id)) rows.delete(id);
      for (const node of [...box.children]) if (!wanted.includes(node)) node.remove();
      wanted.forEach((node, index) => { // what is in its place is left there, and keeps the focus
        if (node !== box.children[index]) box.insertBefore(node, box.children[index]);
      });
      box.hidden = items.length === 0;
    },
  };
}
