// Patches into the clipboard, and files into JupyterLab.

/** Copies what Python sends for a click: browsers want the copying to begin in the click itself. */
export function createCopier(root, say, signal) {
  const waiting = new Map();

  async function copy(id, name) {
    const text = new Promise((resolve) => waiting.set(id, resolve));
    try {
      const blob = text.then((string) => new Blob([string], { type: "text/plain" }));
      await navigator.clipboard.write([new ClipboardItem({ "text/plain": blob })]);
      say(`Copied the patch of ${name}.`);
    } catch (error) { // pages that are not served safely have no clipboard, and a person can forbid it
      say(`The browser did not let the patch be copied: ${error.message}`);
    }
  }
  root.addEventListener("click", ({ target }) => {
    const button = target.closest('[data-intent="copy"]');
    if (button) copy(button.dataset.id, button.closest(".oc-section").dataset.file);
  }, { signal });
  return {
    receive({ kind, id, text }) {
      if (kind !== "patch-text") return;
      waiting.get(id)?.(text);
      waiting.delete(id);
    },
  };
}

/** Where JupyterLab serves files from, and its address; null elsewhere. */
function readLab() {
  const config = document.getElementById("jupyter-config-data")?.textContent;
  if (!config) return null;
  const { serverRoot = "", baseUrl = "/" } = JSON.parse(config);
  return { serverRoot, baseUrl };
}

/** Links that open in JupyterLab (it runs the command that an element names); a plain path where it cannot. */
export function linkFiles(root) {
  const lab = readLab();
  for (const link of root.querySelectorAll("a[data-open]")) {
    const path = link.dataset.open;
    const home = root.querySelector(".oc-files").dataset.home ?? "";
    const base = lab?.serverRoot.replace(/^~/, home).replace(/\/?$/, "/");
    delete link.dataset.open;
    if (!lab || !path.startsWith(base)) {
      link.replaceWith(Object.assign(document.createElement("code"), { className: "oc-where", textContent: path }));
      continue;
    }
    const relative = path.slice(base.length);
    link.href = `${lab.baseUrl}lab/tree/${relative.split("/").map(encodeURIComponent).join("/")}`;
    link.dataset.commandlinkerCommand = "docmanager:open";
    link.dataset.commandlinkerArgs = JSON.stringify({ path: relative });
  }
}
