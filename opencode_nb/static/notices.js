// Lines that say what a person should know now: what failed, what is lost, what is about to be deleted.

import { iconButton, make, textButton } from "./dom.js";

/** Lines by key above the composer. `show(key, text, {alert, action: [label, run], lasting})`, `hide(key)`. */
export function createNotices() {
  const lines = new Map();
  const box = make("div", { class: "chat-notices" });

  const hide = (key) => {
    lines.get(key)?.remove();
    lines.delete(key);
  };
  const show = (key, text, { alert = false, action, lasting = false } = {}) => {
    const old = lines.get(key);
    if (old?.dataset.text === text) return;
    hide(key);
    const line = make("div", { class: "chat-notice", role: alert ? "alert" : "status", "data-text": text },
      make("span", { class: "chat-notice-text", dir: "auto" }, text));
    if (action) line.append(textButton(...action));
    if (!lasting) line.append(iconButton("close", "Dismiss", () => hide(key)));
    lines.set(key, line);
    box.append(line);
  };

  /** Asks before what cannot be taken back: the answer that keeps things has the focus, Escape gives it. */
  const confirm = (text, label, run) => {
    const before = box.getRootNode().activeElement;
    const end = () => {
      line.remove();
      before?.focus();
    };
    const keep = textButton("Cancel", end);
    const line = make("div", {
      class: "chat-notice", role: "alertdialog", "aria-label": text,
      onkeydown: (event) => event.key === "Escape" && end(),
    },
    make("span", { class: "chat-notice-text", dir: "auto" }, text),
    textButton(label, () => { end(); run(); }, { class: "chat-button chat-danger" }), keep);
    box.append(line);
    keep.focus();
  };

  return { box, show, hide, confirm };
}
