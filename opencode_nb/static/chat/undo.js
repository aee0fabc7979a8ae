// Undo messages, from the session bar or from a turn. Say beforehand what an undo does not cover.

/** @import { Again, State } from "./types.js" */
/** @import { Client } from "./client.js" */
/** @import { Action, Notices } from "./notices.js" */

const NO_GIT = "There is no git repository here: changes by the agent\u2019s editing tools are undone, but files that its commands changed stay as they are.";
/** @type {Record<string, string>} */
const ANYWAY = { undo: "Undo anyway", redo: "Redo anyway", new: "New session" };

/**
 * Make the undo of the session that is shown.
 *
 * @param {object} options
 * @param {Client} options.client
 * @param {Notices} options.notices
 */
export function createUndo({ client, notices }) {
  /** @type {State} */
  let state = {};
  return {
    /** @param {State} given */
    show(given) { state = given; },
    /**
     * Undo this message and all after it; without one the last.
     *
     * @param {string} [message]
     */
    from(message) {
      const session = state.session?.id;
      const run = () => client.tell("undo", { session, message });
      if (state.git !== false) return run();
      const what = message ? "Undo this message and everything after it?" : "Undo the last message?";
      return notices.confirm(`${what} ${NO_GIT}`, "Undo what can be undone", run);
    },
  };
}

/** @typedef {ReturnType<typeof createUndo>} Undo */

/**
 * Make the button of a notice that offers to go on: to undo or redo what only the user's own changes stopped, for example.
 *
 * @param {Again | null | undefined} again its intent
 * @param {Client["tell"]} tell
 * @returns {Action | undefined}
 */
export function anyway(again, tell) {
  return again ? [ANYWAY[again.kind] ?? "", () => tell(again.kind, again)] : undefined;
}
