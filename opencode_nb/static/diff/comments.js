// Comments on lines: a button on the line under the pointer, the key `c`, and a form below the line.

import { make } from "../core/dom.js";

const CHANGED = ".oc-added[data-at], .oc-removed[data-at]";

/** The form of the comment that is being written; it stays when the lines around it are drawn anew. */
export function createDraft(root, walk, send, signal) {
  const add = make("button", { type: "button", class: "oc-add", "aria-label": "Comment on this line" });
  let form = null;
  let place = null; // { index, at }

  const canComment = () => root.querySelector(".oc-files")?.dataset.commenting === "true";
  const rowOf = ({ index, at }) => root.querySelector(`.oc-section[data-index="${index}"] [data-at="${at}"]`);
  const put = (row) => (row.closest(".oc-pair") ?? row).after(form);

  function close() {
    const row = place && rowOf(place);
    form?.remove();
    form = place = null;
    if (row) walk.focus(row);
  }

  function submit() {
    const text = form.querySelector("textarea").value.trim();
    if (text) send({ kind: "comment", id: place.index, at: place.at, text });
    close();
  }

  function open(row) {
    form?.remove();
    const section = row.closest(".oc-section");
    place = { index: section.dataset.index, at: row.dataset.at };
    const line = `${place.at.startsWith("o") ? "removed line" : "line"} ${place.at.slice(1)}`;
    const text = make("textarea", { rows: "3", "aria-label": `Comment on ${line} of ${section.dataset.file}` });
    form = make("div", { class: "oc-draft" }, text,
      make("button", { type: "button", class: "oc-button", onclick: submit }, "Add comment"),
      make("button", { type: "button", class: "oc-button", onclick: close }, "Cancel"));
    put(row);
    text.focus();
  }

  root.addEventListener("mouseover", ({ target }) => {
    const row = target.closest("[data-at]");
    if (row && canComment() && add.parentElement !== row) row.append(add);
  }, { signal });
  add.addEventListener("click", () => open(add.parentElement), { signal });
  root.addEventListener("keydown", (event) => {
    const { target, key } = event;
    const plain = !(event.ctrlKey || event.metaKey || event.altKey);
    if (target === form?.querySelector("textarea")) {
      if (key === "Escape") close();
      else if (key === "Enter" && !plain) submit();
    } else if (key === "c" && plain && canComment() && !target.matches("input, textarea")) {
      const row = target.closest("[data-at]") ?? target.closest(".oc-change")?.querySelector(CHANGED);
      if (!row) return;
      event.preventDefault();
      open(row);
    }
  }, { signal });

  function refresh() {
    if (!form || form.isConnected) return;
    const row = rowOf(place);
    if (!row) return;
    put(row);
    form.querySelector("textarea").focus({ preventScroll: true });
  }
  return { refresh };
}
