// The MCP servers: what state each is in, and a button that connects or disconnects it.

/** @import { McpServer } from "./types.js" */
/** @import { Client } from "./client.js" */
/** @import { Notices } from "./notices.js" */

import { copyText } from "./clipboard.js";
import { iconButton, textButton } from "../core/buttons.js";
import { make, query, setChildren, uniqueId, update } from "../core/dom.js";

/** @typedef {ReturnType<typeof createServerRow>} ServerRow */

/**
 * Make the row of one server.
 *
 * @param {string} name
 * @param {object} options
 * @param {(connect: boolean) => Promise<unknown>} options.act
 * @param {(command: string) => unknown} options.copy
 */
function createServerRow(name, { act, copy }) {
  let connected = false;
  let busy = false;
  const state = make("span", { class: "chat-muted", id: uniqueId(), dir: "auto" });
  const step = make("span", { class: "chat-muted" });
  const command = make("code", { class: "chat-command" });
  const login = make("span", { class: "chat-login-line" }, command,
    iconButton("copy", `Copy the command that logs in to ${name}`, () => copy(command.textContent ?? "")));
  const help = make("div", { class: "chat-login-line chat-server-help" }, step, login);
  const press = async () => {
    if (busy) return;
    busy = true;
    update(button, { ariaDisabled: "true" }); // it keeps the focus meanwhile
    update(state, { textContent: connected ? "disconnecting\u2026" : "connecting\u2026" });
    node.ariaBusy = "true";
    await act(!connected);
  };
  const button = textButton("", press, { "aria-describedby": state.id });
  const node = make("li", { class: "chat-server" },
    make("span", { class: "chat-server-name", dir: "auto" }, name), state, button, help);
  return {
    node,
    /** Take what is shown next as the end of what was begun. */
    rest() {
      busy = false;
      update(button, { ariaDisabled: null });
      node.ariaBusy = null;
    },
    /** @param {McpServer} server */
    show(server) {
      if (busy) return;
      connected = server.connected;
      const label = connected ? "Disconnect" : "Connect";
      update(button, { textContent: label, ariaLabel: `${label} ${name}` });
      update(state, { textContent: server.state });
      update(step, { textContent: server.step });
      update(command, { textContent: server.command });
      update(login, { hidden: !server.command });
      update(help, { hidden: !server.step });
    },
  };
}

/**
 * Make the box with the servers, which `/mcps` and the menu open.
 *
 * @param {object} options
 * @param {Client} options.client
 * @param {Notices} options.notices
 * @param {(text: string) => void} options.say tells a screen reader what came of it
 * @param {() => void} options.focusMessage
 */
export function createMcpServers({ client, notices, say, focusMessage }) {
  /** @type {Map<string, ServerRow>} */
  const rows = new Map();
  const close = () => {
    box.hidden = true;
    focusMessage();
  };
  const title = make("div", { class: "chat-setup-title", id: uniqueId() }, "MCP servers");
  const list = make("ul", { class: "chat-servers" });
  const box = make("div", {
    class: "chat-setup", role: "group", "aria-labelledby": title.id, hidden: true,
    onkeydown(/** @type {KeyboardEvent} */ event) {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      close();
    },
  }, make("div", { class: "chat-setup-line" }, title, iconButton("close", "Close", close)), list);

  /** @param {string} command */
  const copy = async (command) => {
    try {
      await copyText(command);
      notices.show("copied", "Copied: paste it into a cell.");
    } catch (error) {
      notices.show("copied", /** @type {Error} */ (error).message, { alert: true });
    }
  };
  /** @param {string} name */
  const rowOf = (name) => {
    const row = rows.get(name) ?? createServerRow(name, { copy, act: (connect) => act(name, connect) });
    rows.set(name, row);
    return row;
  };
  /**
   * Show the servers as they are now.
   *
   * @returns {Promise<McpServer[]>}
   */
  const refresh = async () => {
    const servers = /** @type {McpServer[]} */ (await client.ask("mcp"));
    setChildren(list, servers.map(({ name }) => rowOf(name).node));
    for (const server of servers) rowOf(server.name).show(server);
    return servers;
  };
  /** @param {unknown} error */
  const fail = (error) => notices.show("failed", /** @type {Error} */ (error).message, { alert: true });
  /**
   * @param {string} name
   * @param {boolean} connect
   */
  const act = async (name, connect) => {
    await client.tell("mcp", { server: name, connect });
    rowOf(name).rest();
    try {
      const server = (await refresh()).find((one) => one.name === name);
      if (server) say([`${name}: ${server.state}`, server.step, server.command].filter(Boolean).join(". "));
    } catch (error) {
      fail(error);
    }
  };
  const open = async () => {
    try {
      await refresh();
    } catch (error) {
      return fail(error);
    }
    box.hidden = false;
    return query(list, "button")?.focus();
  };
  return {
    box,
    /** Open the box; the focus goes to its first button. */
    open() {
      open();
      return true;
    },
  };
}
