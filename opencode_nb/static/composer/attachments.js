// What goes along with a message, shown as chips: files that were pasted, dropped or chosen, within what a message can
// carry, and cells of the notebook.

/** @import { Attachment } from "../chat/types.js" */

import { iconButton } from "../core/buttons.js";
import { make, query, setChildren } from "../core/dom.js";

const LIMIT = 7_000_000; // bytes of all files together: Jupyter closes the connection at 10 MiB, and base64 adds a third
const PICTURES = /^image\/(png|jpeg|gif|webp)$/;

/**
 * The files of one session's next message. `read` is true when all were read without a problem.
 *
 * @typedef {{ files: Attachment[], unread: number, read: Promise<boolean> }} Place
 */

/** @param {number} bytes */
function size(bytes) {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1000)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/**
 * @param {File} file
 * @returns {Promise<string>} a data: URL
 */
function read(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(/** @type {string} */ (reader.result));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

/**
 * Find the type under which a model accepts a file: a picture, a PDF or text; "" for anything else.
 *
 * @param {File} file
 */
async function mimeOf(file) {
  if (PICTURES.test(file.type) || file.type === "application/pdf") return file.type;
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
    return "text/plain";
  } catch { // not UTF-8, or not readable (a folder)
    return "";
  }
}

/** @param {Place} place */
function total({ files }) {
  return files.reduce((sum, file) => sum + file.size, 0);
}

/**
 * Add a file to a place.
 *
 * @param {File} file
 * @param {Place} place
 * @returns {Promise<string>} why it was left out, "" if it was not
 */
async function addFile(file, place) {
  if (total(place) + file.size > LIMIT) {
    return `${file.name} (${size(file.size)}) was not attached: a message can have ${size(LIMIT)} of files. Mention it with @ instead.`;
  }
  const mime = await mimeOf(file);
  if (!mime) return `${file.name} was not attached: only images, PDFs and text can be.`;
  const url = await read(file).catch(() => undefined);
  if (!url) return `${file.name} was not attached: the browser cannot read it.`;
  place.files.push({ name: file.name || "pasted", mime, data: url.replace(/^[^,]*,/, ""), size: file.size });
  return "";
}

/**
 * Return what stands for cells of the notebook among the files.
 *
 * @param {{ id: string, index: number }[]} cells
 * @returns {Attachment}
 */
function standingFor(cells) {
  const numbers = cells.map(({ index }) => index + 1).join(", ");
  return { name: `Cell${cells.length > 1 ? "s" : ""} ${numbers}`, mime: "", data: "", size: 0, cells: cells.map(({ id }) => id) };
}

/** @param {Attachment} file */
function picture({ mime, data }) {
  return mime.startsWith("image/") ? [make("img", { src: `data:${mime};base64,${data}`, alt: "" })] : [];
}

/**
 * Make the chips of the session that is shown. Each session has its own files, as it has its own draft.
 *
 * @param {object} options
 * @param {(text: string) => void} options.refuse says what was left out and why; "" for nothing
 * @param {() => void} options.changed
 * @param {() => void} options.focusMessage takes the focus when no chip is left for it
 */
export function createAttachments({ refuse, changed, focusMessage }) {
  const box = make("ul", { class: "chat-chips", "aria-label": "Attachments", hidden: true });
  /** @type {Map<string, Place>} */
  const kept = new Map();
  /** @param {string} session */
  const of = (session) => {
    const place = kept.get(session) ?? { files: [], unread: 0, read: Promise.resolve(true) };
    kept.set(session, place);
    return place;
  };
  let shown = of("");

  const draw = () => {
    box.hidden = shown.files.length === 0;
    setChildren(box, shown.files.map((file) => (file.chip ??= chip(file))));
    changed();
  };
  /** @param {Attachment} file */
  const remove = (file) => {
    const index = shown.files.indexOf(file);
    shown.files = shown.files.filter((one) => one !== file);
    draw();
    const near = box.children[Math.min(index, shown.files.length - 1)];
    if (near) query(near, "button")?.focus();
    else focusMessage();
  };
  /** @param {Attachment} file */
  const chip = (file) => make("li", { class: "chat-chip" },
    ...picture(file), make("span", { class: "chat-chip-name", dir: "auto" }, file.name),
    ...(file.cells ? [] : [make("span", { class: "chat-muted" }, size(file.size))]),
    iconButton("close", `Remove ${file.name}`, () => remove(file)));
  /**
   * @param {File[]} given
   * @param {Place} place
   */
  const takeAll = async (given, place) => {
    const problems = [];
    for (const file of given) problems.push(await addFile(file, place));
    place.unread -= given.length;
    draw();
    refuse(problems.filter(Boolean).join(" "));
    return problems.every((problem) => !problem);
  };

  return {
    box,
    /** @param {string} session */
    show(session) {
      shown = of(session);
      draw();
    },
    /** @param {Iterable<File>} list */
    add(list) {
      const given = [...list]; // the browser empties its own list after the event
      const place = shown;
      const before = place.unread ? place.read : true;
      place.unread += given.length;
      place.read = Promise.resolve(before) // one after the other: only then is it known what else fits
        .then(async (fine) => (await takeAll(given, place)) && fine);
      changed();
    },
    /** @param {{ id: string, index: number }[]} cells take the place of those that were added before */
    addCells(cells) {
      shown.files = [...shown.files.filter((file) => !file.cells), standingFor(cells)];
      draw();
    },
    /** How many files the session that is shown has, including those that are still being read. */
    get count() { return shown.files.length + shown.unread; },
    /**
     * Take the files of a session's message out, once they are read.
     *
     * @param {string} session
     * @returns {Promise<Attachment[] | undefined>} undefined if one cannot be sent: then all stay
     */
    async take(session) {
      const place = of(session);
      if (!(await (place.unread ? place.read : true))) return undefined;
      if (total(place) > LIMIT) { // files that came back, beside those that were added meanwhile
        refuse(`The files are too large for one message, which can have ${size(LIMIT)} of them. Remove some, and send again.`);
        return undefined;
      }
      const taken = place.files;
      place.files = [];
      draw();
      return taken;
    },
    /**
     * Put files back.
     *
     * @param {string} session
     * @param {Attachment[]} back
     */
    give(session, back) {
      of(session).files.unshift(...back);
      draw();
    },
  };
}

/** @typedef {ReturnType<typeof createAttachments>} Attachments */
