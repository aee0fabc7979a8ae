// The page's questions and wishes to the kernel, each with the answer that belongs to it.

import { on } from "../core/view.js";

const SLOW_MS = 4000; // an idle kernel answers in a few ms; older kernels not before the running cell has ended
export const GONE = "The kernel has been restarted, and the panel is no longer in it. Run the panel\u2019s cell again: the session is kept.";
const OWN = "page-"; // what these ids begin with; those of cards that Python made do not, and every view says what failed

/** `ask(what, args)` gives items or throws; `tell(kind, args)` gives whether it was done: `report` is told what failed. */
export function createClient({ model, signal, report }) {
  const waiting = new Map(); // those without an answer
  const timers = new Map(); // those that are not known to have arrived: some take long to be done
  const late = new Set(); // those of them that should have arrived by now
  let serial = Math.floor(Math.random() * 2 ** 40); // every view of the model, and one after a reload, hears all answers

  const wait = (key, message) => new Promise((resolve) => {
    waiting.set(key, resolve);
    timers.set(key, setTimeout(() => {
      late.add(key);
      report.slow(true);
    }, SLOW_MS));
    try {
      model.send(message);
    } catch { // the widget manager has no comm to send by any more
      settle(key, { kind: "failed", message: GONE, error: GONE });
    }
  });
  const arrived = (key) => {
    clearTimeout(timers.get(key));
    timers.delete(key);
    late.delete(key);
    report.slow(late.size > 0);
  };
  const settle = (key, content) => {
    const resolve = waiting.get(key);
    if (!resolve) return;
    waiting.delete(key);
    arrived(key);
    resolve(content);
  };

  on(model, signal, "msg:custom", (content) => {
    if (content.kind === "received" && waiting.has(content.id)) arrived(content.id);
    if (content.kind === "answer") settle(content.n, content);
    if (content.kind === "done" || content.kind === "failed") settle(content.id, content);
    if (content.kind === "failed" && !String(content.id).startsWith(OWN)) report.failed(content.message);
  });

  return {
    async ask(what, args = {}) {
      serial += 1;
      const { items, error } = await wait(serial, { ...args, kind: "ask", what, n: serial });
      if (error) throw new Error(error);
      return items ?? [];
    },
    async tell(kind, args = {}) {
      serial += 1;
      const id = OWN + serial.toString(36);
      const { kind: outcome, message, again } = await wait(id, { ...args, kind, id });
      if (outcome === "failed") report.failed(message, again);
      return outcome === "done";
    },
  };
}
