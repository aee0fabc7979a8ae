// The files of a diff: which are in sight, and whether what is shown of them is still true.

const ASKED_AGAIN_MS = 3000; // a request or its answer can be lost
const NEAR = "1000px 0px"; // how far outside the pane a file is asked for already
const KEPT = 30; // files whose lines stay on the page when they are out of sight
const LINE_PX = 19;
const HEAD = 70; // px of a file beside its lines

/** Asks Python for the body of each open file that comes near, and lets those go that are far away. */
export function createBodies(root, send, signal) {
  const asked = new Map(); // index -> { version, at }
  const near = new Set();
  let pane = null;
  let observer = null;

  const headOf = (section) => section.querySelector(":scope > summary");
  const bodyOf = (section) => section.querySelector(":scope > div");
  const isCurrent = (section) => bodyOf(section).dataset.version === headOf(section).dataset.version;

  function want(section) {
    if (!section.open || isCurrent(section)) return;
    const { index } = section.dataset;
    const { version } = headOf(section).dataset;
    const before = asked.get(index);
    if (before?.version === version && Date.now() - before.at < ASKED_AGAIN_MS) return;
    asked.set(index, { version, at: Date.now() });
    send({ kind: "file", id: index });
  }

  function letGo() {
    const loaded = [...pane.querySelectorAll(":scope > details > .oc-body")];
    const far = loaded.filter((body) => !near.has(body.parentElement) && !body.contains(document.activeElement)
      && !body.querySelector(".oc-draft"));
    for (const body of far.slice(0, Math.max(0, loaded.length - KEPT))) {
      const { index } = body.parentElement.dataset;
      const height = body.offsetHeight;
      body.replaceChildren();
      delete body.dataset.version;
      body.className = "oc-awaited";
      body.style.height = `${height}px`;
      asked.delete(index);
    }
  }

  function watch() {
    const found = root.querySelector(".oc-files");
    if (found === pane) return;
    observer?.disconnect();
    near.clear();
    asked.clear();
    pane = found;
    if (!pane) return;
    observer = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) near.add(target);
        else near.delete(target);
        if (isIntersecting) want(target);
      }
    }, { root: pane, rootMargin: NEAR });
    for (const section of pane.children) {
      const { lines } = section.dataset;
      section.style.containIntrinsicSize = `auto ${HEAD + lines * LINE_PX}px`;
      bodyOf(section).style.height = `${lines * LINE_PX}px`;
      observer.observe(section);
    }
  }

  const refresh = () => {
    watch();
    if (!pane) return;
    near.forEach(want);
    letGo();
  };
  const again = setInterval(() => {
    const late = [...near].filter((section) => section.open && !isCurrent(section));
    if (!late.length && root.ariaBusy !== "true") return;
    send({ kind: "hello" }); // the answer tells whether something was lost
    late.forEach(want);
  }, ASKED_AGAIN_MS);
  root.addEventListener("toggle", ({ target }) => {
    if (near.has(target)) want(target); // what is open from the beginning says so, too
  }, { capture: true, signal });
  signal.addEventListener("abort", () => {
    clearInterval(again);
    observer?.disconnect();
  });
  return { refresh, want, isCurrent };
}
