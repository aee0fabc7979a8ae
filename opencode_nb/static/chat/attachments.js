// Files that go along with a message: pasted, dropped or chosen, shown as chips, within what a message can carry.

import { iconButton, make, setChildren } from "../core/dom.js";

const LIMIT = 7_000_000; // bytes of all files together: Jupyter closes the connection at a message of 10 MiB, base64 takes a third more
const PICTURES = /^image\/(png|jpeg|gif|webp)$/;

function size(bytes) {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1000)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function read(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

/** What a model can be given it as: a picture, a PDF or text; "" for anything else. */
async function mimeOf(file) {
  if (PICTURES.test(file.type) || file.type === "application/pdf") return file.type;
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
    return "text/plain";
  } catch { // what is no UTF-8 is no text; what cannot be read (a folder) no file
    return "";
  }
}

/**
 * The chips of the session that is shown; each session has its own, as it has its draft. `refuse(text)` says what was
 * not taken and why; `focusMessage` takes the focus where no chip is left for it.
 */
export function createAttachments({ refuse, changed, focusMessage }) {
  const box = make("ul", { class: "chat-chips", "aria-label": "Attachments", hidden: true });
  const kept = new Map();
  const of = (session) => {
    if (!kept.has(session)) kept.set(session, { files: [], unread: 0, read: Promise.resolve(true) });
    return kept.get(session);
  };
  let shown = of("");

  const total = ({ files }) => files.reduce((sum, file) => sum + file.size, 0);
  const draw = () => {
    box.hidden = shown.files.length === 0;
    setChildren(box, shown.files.map((file) => (file.chip ??= chip(file))));
    changed();
  };
  const remove = (file) => {
    const index = shown.files.indexOf(file);
    shown.files = shown.files.filter((one) => one !== file);
    draw();
    const near = box.children[Math.min(index, shown.files.length - 1)];
    if (near) near.querySelector("button").focus();
    else focusMessage();
  };
  const chip = (file) => make("li", { class: "chat-chip" },
    ...(file.mime.startsWith("image/") ? [make("img", { src: `data:${file.mime};base64,${file.data}`, alt: "" })] : []),
    make("span", { class: "chat-chip-name", dir: "auto" }, file.name),
    make("span", { class: "chat-muted" }, size(file.size)),
    iconButton("close", `Remove ${file.name}`, () => remove(file)));
  const take = async (file, place) => {
    if (total(place) + file.size > LIMIT) {
      return `${file.name} (${size(file.size)}) was left out: a message takes ${size(LIMIT)} of files. Name it by @ instead.`;
    }
    const mime = await mimeOf(file);
    if (!mime) return `${file.name} was left out: it is neither a picture, nor a PDF, nor text.`;
    const url = await read(file).catch(() => undefined);
    if (!url) return `${file.name} was left out: the browser cannot read it.`;
    place.files.push({ name: file.name || "pasted", mime, data: url.replace(/^[^,]*,/, ""), size: file.size });
    return "";
  };
  const takeAll = async (given, place) => {
    const problems = [];
    for (const file of given) problems.push(await take(file, place));
    place.unread -= given.length;
    draw();
    refuse(problems.filter(Boolean).join(" "));
    return problems.every((problem) => !problem);
  };

  return {
    box,
    show(session) {
      shown = of(session);
      draw();
    },
    add(list) {
      const given = [...list]; // the browser empties its own after the event
      const place = shown;
      const before = place.unread ? place.read : true;
      place.unread += given.length;
      place.read = Promise.resolve(before) // one after the other: only then is known what else there is room for
        .then(async (fine) => (await takeAll(given, place)) && fine);
      changed();
    },
    /** How many there are in the session that is shown, with those that are still being read. */
    get count() { return shown.files.length + shown.unread; },
    /** What goes along with a session's message, when it has been read; undefined where something cannot, and all stays. */
    async take(session) {
      const place = of(session);
      if (!(await (place.unread ? place.read : true))) return undefined;
      if (total(place) > LIMIT) { // what came back is beside what was added meanwhile
        refuse(`The files are too large for one message, which takes ${size(LIMIT)}. Remove some, and send again.`);
        return undefined;
      }
      const taken = place.files;
      place.files = [];
      draw();
      return taken;
    },
    give(session, back) {
      of(session).files.unshift(...back);
      draw();
    },
  };
}
