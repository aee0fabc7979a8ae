// Copy patches, and open files in JupyterLab.

/** @import { Message } from "../core/types.js" */

import { closest, make, query, targetOf } from "../core/dom.js";

/**
 * Copy what Python sends after a click. Browsers want the copying to begin in the click itself.
 *
 * @param {HTMLElement} root
 * @param {(text: string) => void} say
 * @param {AbortSignal} signal
 */
export function createCopier(root, say, signal) {
  /** @type {Map<string, (text: string) => void>} */
  const waiting = new Map();

  /**
   * @param {string} id
   * @param {string} name
   */
  async function copy(id, name) {
    /** @type {Promise<string>} */
    const text = new Promise((resolve) => waiting.set(id, resolve));
    try {
      const blob = text.then((string) => new Blob([string], { type: "text/plain" }));
      await navigator.clipboard.write([new ClipboardItem({ "text/plain": blob })]);
      say(`Copied the patch of ${name}.`);
    } catch (error) { // pages that are not served securely have no clipboard, and a user can forbid it
      say(`The browser did not allow copying the patch: ${/** @type {Error} */ (error).message}`);
    }
  }
  root.addEventListener("click", (event) => {
    const button = closest(targetOf(event), '[data-intent="copy"]');
    if (button) copy(button.dataset.id ?? "", closest(button, ".oc-section")?.dataset.file ?? "");
  }, { signal });
  return {
    /** @param {Message} message */
    receive({ kind, id, text }) {
      if (kind !== "patch-text") return;
      waiting.get(id)?.(text);
      waiting.delete(id);
    },
  };
}

/**
 * Return where JupyterLab serves files from, and its address; null on other pages.
 *
 * @returns {{ serverRoot: string, baseUrl: string } | null}
 */
function readLab() {
  const config = document.getElementById("jupyter-config-data")?.textContent;
  if (!config) return null;
  const { serverRoot = "", baseUrl = "/" } = JSON.parse(config);
  return { serverRoot, baseUrl };
}

/**
 * Find a file's path below JupyterLab's root.
 *
 * @param {string} path
 * @param {string} serverRoot may begin with "~"
 * @param {string} home
 * @returns {string | null} null for a file that JupyterLab does not serve
 */
export function pathInLab(path, serverRoot, home) {
  const base = serverRoot.replace(/^~/, home).replace(/\/?$/, "/");
  return path.startsWith(base) ? path.slice(base.length) : null;
}

/**
 * Make links open in JupyterLab, which runs the command that an element names; elsewhere show plain paths.
 *
 * @param {HTMLElement} root
 */
export function linkFiles(root) {
  const lab = readLab();
  for (const link of /** @type {NodeListOf<HTMLAnchorElement>} */ (root.querySelectorAll("a[data-open]"))) {
    const path = link.dataset.open ?? "";
    delete link.dataset.open;
    const relative = lab && pathInLab(path, lab.serverRoot, query(root, ".oc-files")?.dataset.home ?? "");
    if (!lab || relative === null) {
      link.replaceWith(make("code", { class: "oc-where" }, path));
      continue;
    }
    link.href = `${lab.baseUrl}lab/tree/${relative.split("/").map(encodeURIComponent).join("/")}`;
    link.dataset.commandlinkerCommand = "docmanager:open";
    link.dataset.commandlinkerArgs = JSON.stringify({ path: relative });
  }
}
