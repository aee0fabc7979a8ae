// Taking messages back, from the session bar or from a turn: what it does not take back is said beforehand.

const NO_GIT = "There is no git repository here: what the agent's editing tools wrote is taken back, and files that its commands changed stay as they are.";
const ANYWAY = { undo: "Undo anyway", redo: "Redo anyway" };

export function createUndo({ client, notices }) {
  let state = {};
  return {
    show(given) { state = given; },
    /** Takes back this message and all after it; without one the last. */
    from(message) {
      const { id } = state.session;
      const run = () => client.tell("undo", { session: id, message });
      if (state.git !== false) return run();
      const what = message ? "Take back this message and all after it?" : "Undo the last message?";
      return notices.confirm(`${what} ${NO_GIT}`, "Undo what can be undone", run);
    },
  };
}

/** A notice's button for what only somebody's changes were in the way of: `again` is the wish that overwrites them. */
export function anyway(again, tell) {
  return again ? [ANYWAY[again.kind], () => tell(again.kind, again)] : undefined;
}
