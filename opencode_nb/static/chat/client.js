// Ask the kernel for things and tell it what to do, each with its own answer.

/** @import { Message, Model } from "../core/types.js" */
/** @import { Again, Result } from "./types.js" */

import { on } from "../core/model.js";

const SLOW_MS = 4000; // an idle kernel answers in a few ms; an older one only after the running cell
const OWN = "page-"; // prefix of these ids; failures of other ids (cards that Python made) are shown by every view

/** What to say when nothing can be sent any more. */
export const GONE = "This panel is disconnected. Rerun its cell.";

const FAILED = { kind: "failed", message: GONE, error: GONE };

/** @typedef {{ slow(slow: boolean): void, failed(message?: string, again?: Again): void, did(result: Result): void }} Report */

/**
 * Make the panel's line to the kernel.
 *
 * @param {object} options
 * @param {Model} options.model
 * @param {AbortSignal} options.signal
 * @param {Report} options.report
 */
export function createClient({ model, signal, report }) {
  /** @type {Map<string | number, (content: Message) => void>} */
  const waiting = new Map(); // messages without an answer
  /** @type {Map<string | number, number>} */
  const timers = new Map(); // those that may not have arrived: some take long to carry out
  /** @type {Set<string | number>} */
  const late = new Set(); // those of them that should have arrived by now
  let open = true;
  let serial = Math.floor(Math.random() * 2 ** 40); // every view of the model, and one after a reload, gets all answers

  /**
   * @param {string | number} key
   * @param {object} message
   * @returns {Promise<Message>}
   */
  const wait = (key, message) => new Promise((resolve) => {
    if (!open) return resolve(FAILED);
    waiting.set(key, resolve);
    timers.set(key, setTimeout(() => {
      late.add(key);
      report.slow(true);
    }, SLOW_MS));
    try {
      return model.send(message);
    } catch { // the widget manager has no comm any more
      return settle(key, FAILED);
    }
  });
  /** @param {string | number} key */
  const arrived = (key) => {
    clearTimeout(timers.get(key));
    timers.delete(key);
    late.delete(key);
    report.slow(late.size > 0);
  };
  /**
   * @param {string | number} key
   * @param {Message} content
   */
  const settle = (key, content) => {
    const resolve = waiting.get(key);
    if (!resolve) return;
    waiting.delete(key);
    arrived(key);
    resolve(content);
  };

  on(model, signal, "msg:custom", (/** @type {Message} */ content) => {
    if (content.kind === "received" && waiting.has(content.id)) arrived(content.id);
    if (content.kind === "answer") settle(content.n, content);
    if (content.kind === "done" || content.kind === "failed") settle(content.id, content);
    if (content.kind === "failed" && !String(content.id).startsWith(OWN)) report.failed(content.message);
  });

  return {
    /**
     * Without a connection, fail all that waits for an answer, and all that is asked or told: no answer will come.
     *
     * @param {boolean} connected
     */
    setConnected(connected) {
      open = connected;
      if (!connected) for (const key of [...waiting.keys()]) settle(key, FAILED);
    },
    /**
     * Ask for something.
     *
     * @param {string} what
     * @param {object} [args]
     * @returns {Promise<any[]>}
     * @throws {Error} with what to do next
     */
    async ask(what, args = {}) {
      serial += 1;
      const { items, error } = await wait(serial, { ...args, kind: "ask", what, n: serial });
      if (error) throw new Error(error);
      return items ?? [];
    },
    /**
     * Have something done; results are reported, and failures but for those that the log shows.
     *
     * @param {string} kind
     * @param {object} [args]
     * @returns {Promise<boolean>} whether it was done
     */
    async tell(kind, args = {}) {
      serial += 1;
      const id = OWN + serial.toString(36);
      const { kind: outcome, message, again, told, result } = await wait(id, { ...args, kind, id });
      if (outcome === "failed" && !told) report.failed(message, again);
      if (result) report.did(result);
      return outcome === "done";
    },
  };
}

/** @typedef {ReturnType<typeof createClient>} Client */
