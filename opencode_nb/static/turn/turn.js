// The live view of one turn.

import { UNSEEN, createElement, lifetime, live } from "../core/view.js";

// Words come many times a second: read as they come they would be noise, so the log itself is silent. The status line
// inside it is live by its own role.
const ROOT = {
  class: "opencode-nb", "data-view": "turn", "data-key": "root",
  role: "log", "aria-live": "off", "aria-label": "Turn of the agent", tabindex: "-1", style: "outline:none",
};

function render({ model, el, signal }) {
  const view = lifetime(signal);
  const root = createElement(el, ROOT);
  const region = createElement(el, { "aria-live": "assertive", style: UNSEEN });
  live({ model, root, region, signal: view.signal });
  return () => view.abort();
}

export default { render };
