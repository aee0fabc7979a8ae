// Lines above the composer: what failed, what is lost, what is about to be deleted.

import { iconButton, textButton } from "../core/buttons.js";
import { activeIn, make, query } from "../core/dom.js";

/** @typedef {[label: string, run: () => unknown]} Action */

/**
 * Make the place for notices.
 *
 * @param {object} options
 * @param {() => void} options.leave moves the focus on when the line that had it goes
 */
export function createNotices({ leave }) {
  /** @type {Map<string, HTMLElement>} */
  const lines = new Map();
  const box = make("div", { class: "chat-notices" });
  /** @type {{ line: HTMLElement, before: HTMLElement | null } | null} */
  let question = null;

  /** @param {HTMLElement | undefined} line */
  const hasFocus = (line) => Boolean(line?.contains(activeIn(box)));
  /**
   * Remove a line.
   *
   * @param {string} key
   * @returns {boolean} whether it had the focus
   */
  const take = (key) => {
    const line = lines.get(key);
    const focused = hasFocus(line);
    line?.remove();
    lines.delete(key);
    return focused;
  };
  /** @param {string} key */
  const hide = (key) => {
    if (take(key)) leave();
  };
  /**
   * @param {string} key
   * @param {boolean} lasting
   * @param {Action} action
   */
  const actionButton = (key, lasting, [label, run]) => textButton(label, () => {
    if (!lasting) hide(key); // a lasting line goes when it is no longer true
    run();
  });
  /**
   * Show a line, in the place of the one with the same key.
   *
   * @param {string} key
   * @param {string} text
   * @param {{ alert?: boolean, action?: Action, lasting?: boolean }} [options]
   */
  const show = (key, text, { alert = false, action, lasting = false } = {}) => {
    if (lines.get(key)?.dataset.text === text) return;
    const focused = take(key);
    const isLong = text.includes("\n");
    const line = make("div", { class: "chat-notice", role: alert ? "alert" : "status", "data-text": text },
      make("span", { class: `chat-notice-text${isLong ? " chat-notice-lines" : ""}`, dir: "auto", tabindex: isLong && "0" }, text));
    if (action) line.append(actionButton(key, lasting, action));
    if (!lasting) line.append(iconButton("close", "Dismiss", () => hide(key)));
    lines.set(key, line);
    box.append(line);
    if (focused) query(line, "button")?.focus();
  };

  /** Withdraw the open question, as if the user had cancelled it. */
  const withdraw = () => {
    const asked = question;
    question = null;
    const focused = hasFocus(asked?.line);
    asked?.line.remove();
    if (!focused) return;
    asked?.before?.focus();
    if (!box.parentNode?.contains(activeIn(box))) leave(); // the focus came from outside the panel
  };
  /**
   * Ask before something that cannot be undone, one question at a time. The focus is on Cancel, and Escape cancels.
   *
   * @param {string} text
   * @param {string} label
   * @param {() => unknown} run
   */
  const confirm = (text, label, run) => {
    withdraw();
    const before = activeIn(box);
    const keep = textButton("Cancel", withdraw);
    const line = make("div", {
      class: "chat-notice", role: "alertdialog", "aria-label": text,
      onkeydown(/** @type {KeyboardEvent} */ event) {
        if (event.key !== "Escape") return;
        event.stopPropagation();
        withdraw();
      },
    },
    make("span", { class: "chat-notice-text", dir: "auto" }, text),
    textButton(label, () => { withdraw(); run(); }, { class: "chat-button chat-danger" }), keep);
    question = { line, before };
    box.append(line);
    keep.focus();
  };

  return { box, show, hide, confirm, withdraw };
}

/** @typedef {ReturnType<typeof createNotices>} Notices */
