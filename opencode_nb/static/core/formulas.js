// Copy formulas as their TeX.

import { queryAll } from "./dom.js";

/**
 * Copy a selection with formulas as text with their TeX: browsers take their MathML for lines of their own.
 *
 * @param {HTMLElement} root
 * @param {AbortSignal} signal
 */
export function copyFormulas(root, signal) {
  root.addEventListener("copy", (event) => {
    const selection = document.getSelection();
    const has = queryAll(root, ".oc-mathml").some((node) => selection?.containsNode(node, true));
    if (!selection || !has || !event.clipboardData) return;
    root.classList.add("oc-copying"); // hides the MathML, before anything is drawn
    event.clipboardData.setData("text/plain", selection.toString());
    root.classList.remove("oc-copying");
    event.preventDefault();
  }, { signal });
}
