// Save a file that the kernel made.

import { make } from "./dom.js";

const KEPT_MS = 60_000;

/** @param {{ name: string, mime: string, data: string }} file `data` is base64 */
export function download({ name, mime, data }) {
  const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
  const url = URL.createObjectURL(new Blob([bytes], { type: mime }));
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), KEPT_MS); // not before the browser has read it
}
