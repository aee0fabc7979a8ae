// Lines that say what a person should know now: what failed, what is lost, what is about to be deleted.

import { iconButton, make, textButton } from "../core/dom.js";

/**
 * Lines by key above the composer. `show(key, text, {alert, action: [label, run], lasting})`, `hide(key)`. `leave()` gives
 * the focus a place where a person goes on, when the line goes that had it.
 */
export function createNotices({ leave }) {
  const lines = new Map();
  const box = make("div", { class: "chat-notices" });
  let question = null;

  const hasFocus = (line) => Boolean(line?.contains(box.getRootNode().activeElement));
  const take = (key) => { // gives whether the line had the focus
    const line = lines.get(key);
    const focused = hasFocus(line);
    line?.remove();
    lines.delete(key);
    return focused;
  };
  const hide = (key) => {
    if (take(key)) leave();
  };
  const actionButton = (key, lasting, label, run) => textButton(label, () => {
    if (!lasting) hide(key); // what lasts goes when it is no longer so
    run();
  });
  const show = (key, text, { alert = false, action, lasting = false } = {}) => {
    if (lines.get(key)?.dataset.text === text) return;
    const focused = take(key);
    const line = make("div", { class: "chat-notice", role: alert ? "alert" : "status", "data-text": text },
      make("span", { class: "chat-notice-text", dir: "auto" }, text));
    if (action) line.append(actionButton(key, lasting, ...action));
    if (!lasting) line.append(iconButton("close", "Dismiss", () => hide(key)));
    lines.set(key, line);
    box.append(line);
    if (focused) line.querySelector("button").focus();
  };

  /** Takes the open question away: nothing of it was wanted. */
  const withdraw = () => {
    const asked = question;
    question = null;
    const focused = hasFocus(asked?.line);
    asked?.line.remove();
    if (!focused) return;
    asked.before.focus();
    if (!box.parentNode.contains(box.getRootNode().activeElement)) leave(); // it came from nowhere in the panel
  };
  /** Asks before what cannot be taken back: the answer that keeps things has the focus, Escape gives it. One question stands. */
  const confirm = (text, label, run) => {
    withdraw();
    const before = box.getRootNode().activeElement;
    const keep = textButton("Cancel", withdraw);
    const line = make("div", {
      class: "chat-notice", role: "alertdialog", "aria-label": text,
      onkeydown: (event) => event.key === "Escape" && withdraw(),
    },
    make("span", { class: "chat-notice-text", dir: "auto" }, text),
    textButton(label, () => { withdraw(); run(); }, { class: "chat-button chat-danger" }), keep);
    question = { line, before };
    box.append(line);
    keep.focus();
  };

  return { box, show, hide, confirm, withdraw };
}
