// A view that shows nothing: through it the kernel reaches the notebook's page when no other view is open.

/** @import { View } from "../core/types.js" */

import { serveCells } from "./cells.js";
import { lifetime } from "../core/model.js";
import { createSender, sayHello } from "./protocol.js";

/** @param {View} view */
function render({ model, el, signal }) {
  const view = lifetime(signal);
  el.style.display = "none";
  const send = createSender(model, () => {});
  serveCells(model, el, send, view.signal);
  sayHello(send, view.signal);
  return () => view.abort();
}

export default { render };
