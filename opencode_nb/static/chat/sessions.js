// The bar above the log: which session this is, and what can be done with it.

import { copyText, iconButton, isComposing, make, textButton, update } from "../core/dom.js";
import { createCombobox, createMenu } from "../core/listbox.js";

const MINUTE_MS = 60_000;
const FORMATS = [["md", "Markdown"], ["html", "HTML"], ["ipynb", "notebook"], ["json", "JSON"]];

/** A session's title; the server's own for one without is a date in its list already. */
function titleOf({ title = "" } = {}) {
  return title.replace(/^New session - \d{4}-.*$/, "") || "New session";
}

/** How long ago, as short as it can be said. */
function ago(time) {
  if (!time) return "";
  const minutes = Math.max(0, Math.round((Date.now() - time) / MINUTE_MS));
  if (minutes < 60) return minutes ? `${minutes} min` : "now";
  if (minutes < 60 * 24) return `${Math.round(minutes / 60)} h`;
  return new Date(time).toLocaleDateString();
}

function download({ name, mime, data }) {
  const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
  const url = URL.createObjectURL(new Blob([bytes], { type: mime }));
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), MINUTE_MS); // not before the browser has read it
}

/** How full the model's window is: a gauge, and the numbers by pointer or focus. */
function createMeter() {
  const share = make("span", { class: "chat-meter-share" });
  const tip = make("span", { class: "chat-tip", role: "tooltip" });
  const gauge = make("button", { type: "button", class: "chat-meter" }, make("span", { class: "chat-gauge" }), share);
  const box = make("div", { class: "chat-anchor", hidden: true, onkeydown: ({ key }) => key === "Escape" && setQuiet(true) }, gauge, tip);
  const setQuiet = (quiet) => box.classList.toggle("chat-quiet", quiet); // without the numbers, until one comes anew
  for (const left of ["blur", "pointerleave"]) gauge.addEventListener(left, () => setQuiet(false));
  return {
    box,
    show(meter) {
      box.hidden = !meter;
      if (!meter) return;
      const percent = meter.window ? `${Math.round((meter.share ?? 0) * 100)}%` : ""; // of an unknown window none
      const tokens = (meter.tokens ?? 0).toLocaleString();
      const cost = meter.cost ? `, $${meter.cost.toFixed(meter.cost < 1 ? 4 : 2)}` : "";
      const of = meter.window ? ` of ${meter.window.toLocaleString()}` : "";
      update(share, { textContent: percent || tokens });
      update(tip, { textContent: `${tokens}${of} tokens of context${cost}` });
      update(gauge, { ariaLabel: `Context: ${[percent, tip.textContent].filter(Boolean).join(", ")}` });
      gauge.style.setProperty("--share", percent || "0%");
      gauge.dataset.level = meter.share > 0.9 ? "high" : meter.share > 0.7 ? "raised" : "";
    },
  };
}

/** The title as a field, in the list's place: Enter keeps what is written, Escape and leaving do not. */
function createRename(combobox, rename) {
  let session = ""; // whose title it is, whatever is shown meanwhile
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

export function createSessionBar({ client, notices, undo, focusMessage }) {
  let state = {};
  const { ask, tell } = client;
  const begin = async (kind, args) => { // and go on with writing, but for who has gone on to something else meanwhile
    const page = bar.getRootNode();
    const focused = page.activeElement;
    if (await tell(kind, args) && page.activeElement === focused) focusMessage();
  };

  const combobox = createCombobox({
    label: "Session",
    nothing: "No session with these words",
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
  const undoButton = iconButton("undo", "Undo", () => undo.from());

  const save = async (format) => {
    try {
      (await ask("export", { format })).forEach(download);
    } catch (error) {
      notices.show("export", error.message, { alert: true });
    }
  };
  const remove = () => {
    const { id } = state.session;
    notices.confirm(`Delete \u201c${titleOf(state.session)}\u201d and all its messages for good?`, "Delete",
      () => begin("delete", { session: id }));
  };
  const copyLink = async (url) => {
    try {
      await copyText(url);
      notices.show("share", `In the clipboard: ${url}`);
    } catch (error) {
      notices.show("share", `${error.message} ${url}`, { alert: true });
    }
  };
  const share = () => {
    const url = state.session.shared_url;
    if (url) {
      return [{ label: "Copy share link", run: () => copyLink(url) },
        { label: "Stop sharing", run: () => tell("unshare") }];
    }
    return state.can_share ? [{ label: "Share", run: () => tell("share") }] : [];
  };
  const menu = createMenu(iconButton("more", "More", undefined), () => [
    { label: "Rename", run: () => rename.begin(state.session.id, titleOf(state.session)) },
    ...share(),
    { label: "Compact", run: () => tell("compact") },
    ...FORMATS.map(([format, name]) => ({ label: `Export as ${name}`, run: () => save(format) })),
    { label: "Delete", run: remove },
  ]);
  const shared = make("a", { class: "chat-shared", target: "_blank", rel: "noopener noreferrer", hidden: true }, "shared");
  const bar = make("div", { class: "chat-bar", role: "group", "aria-label": "Session bar" },
    combobox.box, rename.field, shared, meter.box, undoButton,
    iconButton("fork", "Fork", () => begin("fork")),
    iconButton("plus", "New session", () => begin("new")), menu);

  return {
    bar,
    show(given) {
      if (given.session?.id !== state.session?.id) { // what stands there is about what was shown
        notices.withdraw();
        notices.hide("failed");
      }
      state = given;
      if (!state.deleted) notices.hide("deleted");
      else notices.show("deleted", "This session was deleted.", { alert: true, lasting: true, action: ["Begin a new one", () => begin("new")] });
      combobox.set(titleOf(state.session));
      update(combobox.field, { title: [titleOf(state.session), state.session?.directory].filter(Boolean).join("\n") });
      const url = state.session?.shared_url ?? "";
      update(shared, { hidden: !/^https?:/.test(url), title: url });
      shared.setAttribute("href", shared.hidden ? "" : url);
      meter.show(state.meter);
      update(undoButton, { disabled: Boolean(state.busy), title: state.git === false ? "Undo the last message (outside git, files that commands changed stay as they are)" : "Undo the last message and its changes" });
    },
  };
}
