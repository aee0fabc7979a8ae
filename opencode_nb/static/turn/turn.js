// The live view of one turn.

/** @import { View } from "../core/types.js" */

import { createBelow } from "./below.js";
import { UNSEEN } from "../live/accessibility.js";
import { make } from "../core/dom.js";
import { watchView } from "../core/kernel.js";
import { live } from "../live/live.js";
import { lifetime } from "../core/model.js";
import { initializeSaved, keepOutput } from "../live/saved_output.js";

// Words arrive many times a second. Read out as they come they would be noise, so the log itself is silent; the status
// line inside it is live by its own role.
const ROOT = {
  class: "opencode-nb", "data-view": "turn", "data-key": "root",
  role: "log", "aria-live": "off", "aria-label": "The agent\u2019s turn", tabindex: "-1", style: "outline:none",
};

/** @param {View} view */
function render({ model, el, signal }) {
  const view = lifetime(signal);
  const root = make("div", ROOT);
  const region = make("div", { "aria-live": "assertive", style: UNSEEN });
  const below = createBelow(root, view.signal);
  el.append(below, root, region);
  const kernel = watchView({ model, root, signal: view.signal });
  live({ model, root, region, signal: view.signal, kernel });
  keepOutput(model, view.signal);
  return () => view.abort();
}

export default { initialize: initializeSaved, render };
