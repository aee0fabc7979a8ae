// The bar above the log: which session this is, and what can be done with it.

/** @import { Session, State } from "./types.js" */
/** @import { Client } from "./client.js" */
/** @import { Notices } from "./notices.js" */
/** @import { Undo } from "./undo.js" */

import { copyText } from "./clipboard.js";
import { createMeter } from "./meter.js";
import { iconButton, withhold } from "../core/buttons.js";
import { createCombobox } from "../menus/combobox.js";
import { activeIn, isComposing, make, update } from "../core/dom.js";
import { download } from "../core/download.js";
import { createMenu } from "../menus/menu.js";

const MINUTE_MS = 60_000;
const FORMATS = [["md", "Markdown"], ["html", "HTML"], ["ipynb", "notebook"], ["json", "JSON"]];

/**
 * Return a session's title. The server's own title for a session without one is a date, which the list shows already.
 *
 * @param {{ title?: string }} [session]
 */
export function titleOf({ title = "" } = {}) {
  return title.replace(/^New session - \d{4}-.*$/, "") || "New session";
}

/**
 * Write how long ago a time was, as short as possible.
 *
 * @param {number | undefined} time in ms of the epoch
 */
export function ago(time) {
  if (!time) return "";
  const minutes = Math.max(0, Math.round((Date.now() - time) / MINUTE_MS));
  if (minutes < 60) return minutes ? `${minutes} min ago` : "just now";
  if (minutes < 60 * 24) return `${Math.round(minutes / 60)} h ago`;
  return new Date(time).toLocaleDateString();
}

/**
 * Edit the title in the combobox's place: Enter saves it; Escape and leaving the field do not.
 *
 * @param {{ box: HTMLElement, field: HTMLElement }} combobox
 * @param {(session: string, title: string) => unknown} rename
 */
function createRename(combobox, rename) {
  let session = ""; // the session that is renamed, whatever is shown meanwhile
  const field = make("input", { type: "text", class: "chat-combobox", "aria-label": "Title", dir: "auto", hidden: true });
  const end = () => {
    if (field.hidden) return;
    field.hidden = true;
    combobox.box.hidden = false;
  };
  field.addEventListener("blur", end);
  field.addEventListener("keydown", (event) => {
    if (isComposing(event) || !["Enter", "Escape"].includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "Enter" && field.value.trim()) rename(session, field.value.trim());
    end();
    combobox.field.focus();
  });
  return {
    field,
    /**
     * @param {string} id
     * @param {string} title
     */
    begin(id, title) {
      session = id;
      combobox.box.hidden = true;
      field.hidden = false;
      field.value = title;
      field.focus();
      field.select();
    },
  };
}

/**
 * Make what exports, shares and deletes the session.
 *
 * @param {object} options
 * @param {Client} options.client
 * @param {Notices} options.notices
 */
function createSessionActions({ client: { ask, tell }, notices }) {
  /** @param {string} format */
  const save = async (format) => {
    try {
      (await ask("export", { format })).forEach(download);
    } catch (error) {
      notices.show("export", /** @type {Error} */ (error).message, { alert: true });
    }
  };
  /** @param {string} url */
  const copyLink = async (url) => {
    try {
      await copyText(url);
      notices.show("share", `Copied: ${url}`);
    } catch (error) {
      notices.show("share", `${/** @type {Error} */ (error).message} ${url}`, { alert: true });
    }
  };
  return {
    /** @param {State["lacks"]} lacks */
    exports: (lacks) => FORMATS.map(([format, name]) => ({
      label: `Export as ${name}`, run: () => save(format), why: format === "json" ? lacks?.messages : "",
    })),
    /** @param {State} state */
    share(state) {
      const url = state.session?.shared_url;
      if (url) {
        return [{ label: "Copy share link", run: () => copyLink(url) },
          { label: "Stop sharing", run: () => tell("unshare") }];
      }
      const why = state.lacks?.share;
      return state.can_share || why ? [{ label: "Share", run: () => tell("share"), why }] : [];
    },
    /**
     * @param {Session} session
     * @param {() => void} run
     */
    remove(session, run) {
      notices.confirm(`Delete \u201c${titleOf(session)}\u201d and all its messages permanently?`, "Delete", run);
    },
  };
}

/**
 * Make the session bar.
 *
 * @param {object} options
 * @param {Client} options.client
 * @param {Notices} options.notices
 * @param {Undo} options.undo
 * @param {() => void} options.focusMessage
 * @param {() => void} options.find opens the search
 */
export function createSessionBar({ client, notices, undo, focusMessage, find }) {
  /** @type {State} */
  let state = {};
  const { ask, tell } = client;
  /**
   * Do something, then focus the message field, unless the user has moved the focus meanwhile.
   *
   * @param {string} kind
   * @param {object} [args]
   */
  const begin = async (kind, args) => {
    const focused = activeIn(bar);
    if (await tell(kind, args) && activeIn(bar) === focused) focusMessage();
  };

  const combobox = createCombobox({
    label: "Session",
    nothing: "No matching sessions",
    costly: true,
    load: async (search) => (await ask("sessions", { search })).map((item) => ({
      ...item,
      label: titleOf(item),
      detail: item.busy ? "working" : ago(item.updated),
      current: item.id === state.session?.id,
    })),
    choose: ({ id }) => begin("open", { session: id }),
  });
  const rename = createRename(combobox, (session, title) => tell("rename", { session, title }));
  const meter = createMeter();
  const actions = createSessionActions({ client, notices });
  const undoButton = iconButton("undo", "Undo", () => undo.from());
  const forkButton = iconButton("fork", "Fork", () => begin("fork"));

  /** @param {(session: Session) => void} run */
  const withSession = (run) => () => state.session && run(state.session);
  const beginRename = withSession((session) => rename.begin(session.id, titleOf(session)));
  const menu = createMenu(iconButton("more", "More", undefined), () => [
    { label: "Find", run: find },
    { label: "Rename", run: beginRename, why: state.lacks?.rename },
    ...actions.share(state),
    { label: "Compact", run: () => tell("compact"), why: state.lacks?.compact },
    { label: "MCP servers", run: () => tell("mcps"), why: state.lacks?.mcp },
    ...actions.exports(state.lacks),
    {
      label: "Delete",
      run: withSession((session) => actions.remove(session, () => begin("delete", { session: session.id }))),
      why: state.lacks?.delete,
    },
  ]);
  const shared = make("a", { class: "chat-shared", target: "_blank", rel: "noopener noreferrer", hidden: true }, "shared");
  const bar = make("div", { class: "chat-bar", role: "group", "aria-label": "Session bar" },
    combobox.box, rename.field, shared, meter.box, undoButton,
    forkButton,
    iconButton("plus", "New session", () => begin("new")), menu);

  return {
    bar,
    openers: {
      sessions: () => combobox.open(focusMessage),
      rename() {
        beginRename();
        return true;
      },
    },
    /** @param {State} given */
    show(given) {
      if (given.session?.id !== state.session?.id) { // what these say is about the session that was shown
        notices.withdraw();
        notices.hide("failed");
        notices.hide("result");
      }
      state = given;
      if (!state.deleted) notices.hide("deleted");
      else notices.show("deleted", "This session was deleted.", { alert: true, lasting: true, action: ["Start a new one", () => begin("new")] });
      combobox.set(titleOf(state.session));
      update(combobox.field, { title: [titleOf(state.session), state.session?.directory].filter(Boolean).join("\n") });
      const url = state.session?.shared_url ?? "";
      update(shared, { hidden: !/^https?:/.test(url), title: url });
      shared.setAttribute("href", shared.hidden ? "" : url);
      meter.show(state.meter);
      update(undoButton, { disabled: Boolean(state.busy) });
      withhold(undoButton, state.lacks?.undo, state.git === false ? "Undo the last message (without git, files that commands changed stay as they are)" : "Undo the last message and its changes");
      withhold(forkButton, state.lacks?.fork, "Fork");
    },
  };
}
