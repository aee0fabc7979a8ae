// What is written in each session and has not arrived: the draft, and messages that are under way. Outlives a reload.

import { tabStore } from "../core/dom.js";

const COMMAND = /^[!/]/;

/** Both texts in one: what came back stands above what was written meanwhile, but a command must not take that in. */
export function joinDrafts(back, written) {
  return (COMMAND.test(back) ? [written, back] : [back, written]).filter(Boolean).join("\n\n");
}

export function createDrafts() {
  const texts = new Map(); // session -> draft
  const underWay = new Map(); // session -> a set of {text}, oldest first
  const keyOf = (session) => `opencode-nb:draft:${session}`;
  const sentIn = (session) => [...(underWay.get(session) ?? [])];
  const get = (session) => texts.get(session) ?? tabStore.get(keyOf(session));
  const keep = (session) => tabStore.set(keyOf(session), sentIn(session).reduceRight((all, { text }) => joinDrafts(text, all), get(session)));

  return {
    get,
    set(session, text) {
      texts.set(session, text);
      keep(session);
    },
    /** Takes note that a text leaves; gives what to call when it has arrived, or has failed. */
    leaves(session, text) {
      const message = { text };
      underWay.set(session, (underWay.get(session) ?? new Set()).add(message));
      keep(session);
      return () => {
        underWay.get(session).delete(message);
        keep(session);
      };
    },
  };
}
