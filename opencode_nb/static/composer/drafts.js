// Keep what is written in each session and has not arrived: the draft, and messages on their way. Survives a reload.

const COMMAND = /^[!/]/;

/** Text that the browser keeps for this tab. Some viewers' sandboxes are frames without storage: then nothing is kept. */
const tabStore = {
  /** @param {string} key */
  get(key) {
    try { return sessionStorage.getItem(key) ?? ""; } catch { return ""; }
  },
  /**
   * @param {string} key
   * @param {string} value
   */
  set(key, value) {
    try {
      if (value) sessionStorage.setItem(key, value);
      else sessionStorage.removeItem(key);
    } catch { /* no storage, or it is full: drafts are a convenience */ }
  },
};

/**
 * Join a text that came back with what was written meanwhile: below it, but a command must not swallow that.
 *
 * @param {string} back
 * @param {string} written
 */
export function joinDrafts(back, written) {
  return (COMMAND.test(back) ? [written, back] : [back, written]).filter(Boolean).join("\n\n");
}

/** Keep drafts by session. */
export function createDrafts() {
  /** @type {Map<string, string>} */
  const texts = new Map();
  /** @type {Map<string, Set<{ text: string }>>} */
  const underWay = new Map(); // session -> messages, oldest first
  /** @param {string} session */
  const keyOf = (session) => `opencode-nb:draft:${session}`;
  /** @param {string} session */
  const sentIn = (session) => [...(underWay.get(session) ?? [])];
  /** @param {string} session */
  const get = (session) => texts.get(session) ?? tabStore.get(keyOf(session));
  /** @param {string} session */
  const keep = (session) => {
    const all = sentIn(session).reduceRight((rest, { text }) => joinDrafts(text, rest), get(session));
    tabStore.set(keyOf(session), all);
  };

  return {
    get,
    /**
     * @param {string} session
     * @param {string} text
     */
    set(session, text) {
      texts.set(session, text);
      keep(session);
    },
    /**
     * Keep a text that is sent now.
     *
     * @param {string} session
     * @param {string} text
     * @returns {() => void} call it when the message has arrived or failed
     */
    leaves(session, text) {
      const message = { text };
      const leaving = underWay.get(session) ?? new Set();
      underWay.set(session, leaving.add(message));
      keep(session);
      return () => {
        leaving.delete(message);
        keep(session);
      };
    },
  };
}
