// How full the model's context window is.

/** @import { Meter } from "./types.js" */

import { make, update } from "../core/dom.js";

/**
 * Write a meter for people.
 *
 * @param {Meter} meter
 * @returns {{ percent: string, tokens: string, detail: string }} `percent` is "" for an unknown window
 */
export function meterText(meter) {
  const percent = meter.window ? `${Math.round((meter.share ?? 0) * 100)}%` : "";
  const tokens = (meter.tokens ?? 0).toLocaleString();
  const cost = meter.cost ? `. Cost: $${meter.cost.toFixed(meter.cost < 1 ? 4 : 2)}` : "";
  const used = meter.window ? `${tokens} of ${meter.window.toLocaleString()} tokens (${percent})` : `${tokens} tokens`;
  return { percent, tokens, detail: `Context: ${used}${cost}` };
}

/** Make a gauge that shows its numbers to the pointer and on focus. */
export function createMeter() {
  const share = make("span", { class: "chat-meter-share" });
  const tip = make("span", { class: "chat-tip", role: "tooltip" });
  const gauge = make("button", { type: "button", class: "chat-meter" }, make("span", { class: "chat-gauge" }), share);
  const box = make("div", { class: "chat-anchor", hidden: true }, gauge, tip);
  /** @param {boolean} quiet hides the numbers until the pointer or the focus comes back */
  const setQuiet = (quiet) => box.classList.toggle("chat-quiet", quiet);
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || box.classList.contains("chat-quiet")) return;
    event.stopPropagation();
    setQuiet(true);
  });
  for (const left of ["blur", "pointerleave"]) gauge.addEventListener(left, () => setQuiet(false));
  return {
    box,
    /** @param {Meter | null | undefined} meter */
    show(meter) {
      box.hidden = !meter;
      if (!meter) return;
      const { percent, tokens, detail } = meterText(meter);
      const full = meter.share ?? 0;
      share.dataset.share = percent || tokens; // drawn by the style sheet: the name says it already
      update(tip, { textContent: detail });
      update(gauge, { ariaLabel: detail });
      gauge.style.setProperty("--share", percent || "0%");
      gauge.dataset.level = full > 0.9 ? "high" : full > 0.7 ? "raised" : "";
    },
  };
}
