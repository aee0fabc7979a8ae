// Keep a live view's static form in the notebook, and no widget: without its kernel, a widget shows only an error. While
// the kernel lives, the page draws the same output with the widget, by a media type that only this page knows.

/** @import { Model, NotebookContext, Output, RenderMime, Saved } from "../core/types.js" */

import { contextOf } from "../core/jupyter.js";
import { lifetime, on } from "../core/model.js";

const WIDGET_VIEW = "application/vnd.jupyter.widget-view+json";
const RANK = -20; // goes before the widget's own, which is -10

/**
 * Name the media type of one view. Each has its own, so that the page draws no other output with a dead widget.
 *
 * @param {string} id the widget model's id
 */
function typeOf(id) {
  return `application/vnd.opencode-nb.${id}+json`;
}

/**
 * Return an output as the notebook shall keep it.
 *
 * @param {Output} output
 * @param {Saved} saved
 * @param {boolean} live whether its view is still there
 * @returns {Output}
 */
export function savedOutput(output, { id, data, metadata }, live) {
  const { [WIDGET_VIEW]: _widget, [typeOf(id)]: _view, ...rest } = output.data;
  return {
    ...output,
    data: { ...rest, ...data, ...(live ? { [typeOf(id)]: { model_id: id } } : {}) },
    metadata: { ...output.metadata, ...metadata },
  };
}

/**
 * Whether an output shows this view.
 *
 * @param {Record<string, any> | undefined} data by media type
 * @param {string} id
 */
function shows(data, id) {
  return data !== undefined && (typeOf(id) in data || data[WIDGET_VIEW]?.model_id === id);
}

/**
 * Whether two records have the same values, in any order.
 *
 * @param {Record<string, unknown>} one
 * @param {Record<string, unknown>} other
 */
function isSame(one, other) {
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...names].every((name) => JSON.stringify(one[name]) === JSON.stringify(other[name]));
}

/**
 * Bring all outputs that show the view up to date.
 *
 * @param {NotebookContext} context
 * @param {Saved} saved
 * @param {{ live?: boolean, redraw?: boolean }} [options] `redraw`: even if nothing is to be changed
 */
export function writeOutputs(context, saved, { live = true, redraw = false } = {}) {
  for (const { outputs } of context.model.cells) {
    if (!outputs) continue; // prose
    for (let index = 0; index < outputs.length; index += 1) {
      if (!shows(outputs.get(index).data, saved.id)) continue;
      const before = outputs.get(index).toJSON();
      const after = savedOutput(before, saved, live);
      const same = isSame(before.data, after.data) && isSame(before.metadata, after.metadata);
      if (same && !redraw) continue;
      const { dirty } = context.model;
      outputs.set(index, after);
      if (same) context.model.dirty = dirty;
    }
  }
}

/**
 * Let the page draw outputs of this media type with the widget. It draws each once: the view follows its model, and a
 * new static form must not build it again.
 *
 * @param {RenderMime} rendermime
 * @param {string} type
 */
function addRenderer(rendermime, type) {
  const widgets = rendermime.getFactory(WIDGET_VIEW);
  if (!widgets) return;
  rendermime.addFactory({
    safe: false,
    mimeTypes: [type],
    createRenderer(options) {
      const renderer = widgets.createRenderer(options);
      const { renderModel } = renderer;
      /** @type {Promise<void> | undefined} */
      let drawn;
      renderer.renderModel = (output) => (drawn ??= renderModel.call(renderer, output));
      return renderer;
    },
  }, RANK);
}

/**
 * Find the notebook of a model, if its page can draw and keep outputs in this way: JupyterLab's and Notebook's can.
 *
 * @param {Model} model
 */
async function documentOf(model) {
  const context = await contextOf(model);
  const { rendermime } = (await model.widget_manager) ?? {};
  if (!context?.model.cells || !rendermime) return null;
  await context.ready;
  return { context, rendermime };
}

/**
 * Follow a model for as long as it lives: anywidget's `initialize`. After a reload it gives outputs their view back.
 *
 * @param {{ model: Model, signal?: AbortSignal }} given
 */
export function initializeSaved({ model, signal: ended }) {
  const life = lifetime(ended);
  follow(model, life.signal);
  return () => life.abort();
}

/**
 * @param {Model} model
 * @param {AbortSignal} signal
 */
async function follow(model, signal) {
  const place = await documentOf(model);
  if (!place || signal.aborted) return;
  const { context, rendermime } = place;
  /** @returns {Saved} */
  const saved = () => model.get("saved");
  const { id } = saved();
  addRenderer(rendermime, typeOf(id));
  on(model, signal, "change:saved", () => writeOutputs(context, saved()));
  signal.addEventListener("abort", () => {
    rendermime.removeMimeType(typeOf(id));
    if (!context.isDisposed) writeOutputs(context, saved(), { live: false });
  });
  writeOutputs(context, saved(), { redraw: true });
}

/**
 * Take the widget out of the output that is being drawn, once it is drawn.
 *
 * @param {Model} model
 * @param {AbortSignal} signal
 */
export async function keepOutput(model, signal) {
  const place = await documentOf(model);
  if (!place) return;
  const timer = setTimeout(() => writeOutputs(place.context, model.get("saved")));
  signal.addEventListener("abort", () => clearTimeout(timer));
}
