// What to do while no model is set up: three ways to get one, each with what it means before it is chosen.

/** @import { Setup, State } from "./types.js" */
/** @import { Client } from "./client.js" */
/** @import { Notices } from "./notices.js" */

import { copyText } from "./clipboard.js";
import { iconButton, textButton } from "../core/buttons.js";
import { activeIn, make, uniqueId, update } from "../core/dom.js";

/**
 * Make one way: its button, and beside it what it means.
 *
 * @param {string} label
 * @param {(event: any) => unknown} onclick
 */
function createWay(label, onclick) {
  const meaning = make("span", { class: "chat-muted", id: uniqueId() });
  const button = textButton(label, onclick, { "aria-describedby": meaning.id });
  return { row: make("div", { class: "chat-way" }, button, meaning), button, meaning };
}

/**
 * Make what explains how to log in: a command for a terminal.
 *
 * @param {object} options
 * @param {Client} options.client
 * @param {Notices} options.notices
 */
function createLogin({ client, notices }) {
  const command = make("code", { class: "chat-command" });
  const copy = async () => {
    try {
      await copyText(command.textContent ?? "");
      notices.show("copied", "Copied: paste it into a terminal.");
    } catch (error) {
      notices.show("copied", /** @type {Error} */ (error).message, { alert: true });
    }
  };
  const box = make("div", { class: "chat-login", id: uniqueId(), hidden: true },
    make("div", {}, "Run this in a terminal. The panel goes on by itself when you are logged in."),
    make("div", { class: "chat-login-line" }, command, iconButton("copy", "Copy the command", copy),
      textButton("Check again", () => client.tell("check_setup"))));
  return { box, command };
}

/**
 * Make the box that offers the ways to a model.
 *
 * @param {object} options
 * @param {Client} options.client
 * @param {Notices} options.notices
 * @param {() => void} options.focusMessage
 */
export function createSetup({ client, notices, focusMessage }) {
  /** @type {Setup | null} */
  let setup = null;
  /**
   * Choose a way, once. The button keeps the focus meanwhile: it goes on to the message, or back to it on a failure.
   *
   * @param {HTMLButtonElement} button
   * @param {string} doing said meanwhile
   * @param {string} kind
   * @param {object} [args]
   */
  const choose = async (button, doing, kind, args) => {
    if (button.ariaDisabled) return;
    button.ariaDisabled = "true";
    notices.show("setup", doing, { lasting: true });
    await client.tell(kind, args);
    notices.hide("setup");
    button.ariaDisabled = null;
  };
  const free = createWay("Use OpenCode\u2019s free model", 
    () => choose(free.button, "Setting the model\u2026", "use_model", { model: setup?.free?.model }));
  const demo = createWay("Try the demo", () => choose(demo.button, "Starting the demo\u2026", "start_demo"));
  const { box: login, command } = createLogin({ client, notices });
  const own = createWay("How to log in", () => {
    login.hidden = !login.hidden;
    own.button.setAttribute("aria-expanded", String(!login.hidden));
  });
  own.button.setAttribute("aria-expanded", "false");
  own.button.setAttribute("aria-controls", login.id);
  demo.meaning.textContent = "A scripted model, not an AI, to see how everything works. Your prompts stay on this machine.";
  own.meaning.textContent = "Use a provider of your own.";
  const title = make("div", { class: "chat-setup-title", id: uniqueId() }, "No model is set up yet.");
  const box = make("div", { class: "chat-setup", role: "group", "aria-labelledby": title.id, hidden: true },
    title, own.row, login, free.row, demo.row);

  return {
    box,
    /** @param {State} state */
    show(state) {
      if (setup && !state.setup) { // there is a model now
        for (const said of ["failed", "copied"]) notices.hide(said);
        if (box.contains(activeIn(box))) focusMessage();
      }
      setup = state.setup ?? null;
      update(box, { hidden: !setup });
      if (!setup) return;
      update(free.row, { hidden: !setup.free });
      update(free.meaning, { textContent: setup.free?.sends ?? "" });
      update(command, { textContent: setup.login });
    },
  };
}
