// Files that go along with a message: pasted, dropped or chosen, shown as chips, within what a message can carry.

import { iconButton, make } from "./dom.js";

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

/** The chips; `refuse(text)` says what was not taken and why. */
export function createAttachments({ refuse, changed }) {
  const box = make("ul", { class: "chat-chips", "aria-label": "Attachments", hidden: true });
  let files = [];

  const total = () => files.reduce((sum, file) => sum + file.size, 0);
  const draw = () => {
    box.hidden = files.length === 0;
    box.replaceChildren(...files.map(chip));
    changed();
  };
  const remove = (file) => {
    files = files.filter((one) => one !== file);
    draw();
  };
  const chip = (file) => make("li", { class: "chat-chip" },
    ...(file.mime.startsWith("image/") ? [make("img", { src: `data:${file.mime};base64,${file.data}`, alt: "" })] : []),
    make("span", { class: "chat-chip-name", dir: "auto" }, file.name),
    make("span", { class: "chat-muted" }, size(file.size)),
    iconButton("close", `Remove ${file.name}`, () => remove(file)));
  const take = async (file) => {
    if (total() + file.size > LIMIT) {
      return `${file.name} (${size(file.size)}) was left out: a message takes ${size(LIMIT)} of files. Name it by @ instead.`;
    }
    const mime = await mimeOf(file);
    if (!mime) return `${file.name} was left out: it is neither a picture, nor a PDF, nor text.`;
    const data = (await read(file)).replace(/^[^,]*,/, "");
    files.push({ name: file.name || "pasted", mime, data, size: file.size });
    return "";
  };

  return {
    box,
    async add(list) {
      const given = [...list]; // the browser empties its own after the event
      const problems = [];
      for (const file of given) problems.push(await take(file));
      draw();
      refuse(problems.filter(Boolean).join(" "));
    },
    get count() { return files.length; },
    /** What goes along now; nothing is left after it. */
    take() {
      const taken = files;
      files = [];
      draw();
      return taken;
    },
    give(back) {
      files = [...back, ...files];
      draw();
    },
  };
}
