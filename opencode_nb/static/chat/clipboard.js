// Copy text.

import { make } from "../core/dom.js";

/**
 * Put text into the clipboard.
 *
 * @param {string | Promise<string>} given
 * @throws {Error} where the browser does not allow it; the message says what to do then
 */
export async function copyText(given) {
  if (given instanceof Promise && navigator.clipboard?.write) { // Safari accepts only what it gets during the click
    const blob = given.then((text) => new Blob([text], { type: "text/plain" }));
    return navigator.clipboard.write([new ClipboardItem({ "text/plain": blob })]);
  }
  const text = await given;
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = make("textarea", { style: "position:fixed;opacity:0" }); // a page that is not from localhost or https
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("The browser does not let this page copy. Select the text, and copy it with the keyboard.");
  return undefined;
}
