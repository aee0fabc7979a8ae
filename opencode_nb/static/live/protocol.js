// Apply what Python sends in order, and ask again for what was lost.

/** @import { Intent, Message, Model } from "../core/types.js" */
/** @import { Page } from "./patches.js" */

const HELLO_AT_MS = [0, 300, 1000]; // a page's first messages wait for the running cell: say hello until one arrives
const ASK_AGAIN_MS = 2000; // a request for a snapshot can be lost, too

/**
 * Send messages to Python; call `lost` when that fails, as it does after a restart of the kernel.
 *
 * @param {Model} model
 * @param {(error: unknown) => void} lost
 * @returns {(message: Intent) => void}
 */
export function createSender(model, lost) {
  return (message) => {
    try {
      model.send(message);
    } catch (error) { // the widget manager has no comm any more
      lost(error);
    }
  };
}

/**
 * Take numbered batches and snapshots. A gap in the numbers means that a batch was lost: ask for a snapshot.
 *
 * @param {Pick<Model, "get">} model
 * @param {Page} page
 * @param {(message: Intent) => void} send
 */
export function createReceiver(model, page, send) {
  let last = -1; // number of the batch up to which the page is complete
  let askedAt = -Infinity;
  const ask = () => {
    if (Date.now() - askedAt < ASK_AGAIN_MS) return;
    askedAt = Date.now();
    send({ kind: "snapshot" });
  };
  /** @type {Record<string, (message: Message) => void>} */
  const kinds = {
    patch({ n, ops }) {
      if (n <= last) return;
      if (n > last + 1) return ask();
      last = n;
      page.patch(ops);
    },
    ping({ n, id }) {
      if (n > last) return ask();
      if (id) send({ kind: "pong", id });
    },
  };
  return {
    /** @param {Message} content */
    message: (content) => kinds[content.kind]?.(content),
    snapshot() {
      const { n = -1, html = "" } = model.get("snapshot") ?? {};
      if (n <= last) return; // a complete view keeps what the user types and unfolds in it
      last = n;
      askedAt = -Infinity;
      page.reset(html);
    },
  };
}

/**
 * Say hello to Python a few times, so that it knows that a page is there.
 *
 * @param {(message: Intent) => void} send
 * @param {AbortSignal} signal
 */
export function sayHello(send, signal) {
  const timers = HELLO_AT_MS.map((ms) => setTimeout(() => send({ kind: "hello" }), ms));
  signal.addEventListener("abort", () => timers.forEach(clearTimeout));
}
