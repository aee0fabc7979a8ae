// Choose which model answers, as which agent, and with how much effort.

/** @import { State } from "./types.js" */
/** @import { Client } from "./client.js" */

import { createCombobox } from "../menus/combobox.js";
import { make, update } from "../core/dom.js";

/** @typedef {{ id: string, name?: string, provider?: string }} ModelItem */

/**
 * Make a native select.
 *
 * @param {string} label
 * @param {(value: string) => unknown} choose
 */
function createSelect(label, choose) {
  const field = make("select", { class: "chat-select", "aria-label": label, title: label });
  field.addEventListener("change", () => choose(field.value));
  return {
    field,
    /**
     * @param {{ value: string, text: string, title?: string }[]} options
     * @param {string | undefined} chosen
     */
    show(options, chosen) {
      const wanted = JSON.stringify(options);
      if (field.dataset.options !== wanted) {
        field.replaceChildren(...options.map(({ value, text, title }) => make("option", { value, title }, text)));
        field.dataset.options = wanted;
      }
      update(field, { value: chosen, hidden: options.length < 2 });
    },
    /** Open the list where the browser lets us; return whether there is one. */
    open() {
      if (field.hidden) return false;
      field.focus();
      try { field.showPicker?.(); } catch { /* too long after the last key: the arrow keys choose all the same */ }
      return true;
    },
  };
}

/**
 * Whether a model has all these words in its id, name or provider.
 *
 * @param {string} words
 * @param {ModelItem} model
 */
export function matchesModel(words, model) {
  const text = `${model.id} ${model.name} ${model.provider}`.toLowerCase();
  return words.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

/**
 * Make the fields for agent, model and effort.
 *
 * @param {object} options
 * @param {Client} options.client
 * @param {() => void} options.focusMessage
 */
export function createPickers({ client, focusMessage }) {
  /** @type {State} */
  let state = {};
  /** @type {Promise<ModelItem[]> | undefined} */
  let known; // asked for once in each visit of the field: typing only narrows it
  /** @param {{ agent?: string, model?: string, variant?: string }} choice */
  const pick = async (choice) => {
    await client.tell("pick", choice);
    show(state); // a refused choice is not shown as chosen
  };
  /**
   * @param {unknown} error
   * @returns {never}
   */
  const forget = (error) => {
    known = undefined;
    throw error;
  };
  const agent = createSelect("Agent", (name) => pick({ agent: name }));
  const effort = createSelect("Effort", (variant) => pick({ variant }));
  const model = createCombobox({
    label: "Model",
    nothing: "No matching models",
    async load(words) {
      known ??= client.ask("models");
      return (await known.catch(forget)).filter((one) => matchesModel(words, one))
        .map((one) => ({ ...one, label: one.name || one.id, detail: one.provider, current: one.id === state.model }));
    },
    choose: ({ id }) => pick({ model: id }),
  });
  model.field.addEventListener("blur", () => { known = undefined; });

  /** @param {State} given */
  const show = (given) => {
    state = given;
    const agents = state.agents ?? [];
    const offered = agents.some(({ name }) => name === state.agent) || !state.agent ? agents : [{ name: state.agent }, ...agents];
    agent.show(offered.map(({ name, description }) => ({ value: name, text: name, title: description })), state.agent);
    const variants = state.variants ?? [];
    effort.show([{ value: "", text: "default effort", title: "The model\u2019s own default" }, ...variants.map((name) => ({ value: name, text: name }))], state.variant ?? "");
    const why = state.lacks?.models;
    model.set(state.model_name || (state.setup ? "No model yet" : why ? "The agent\u2019s own model" : "Choose a model"));
    update(model.field, { disabled: Boolean(why), ariaDescription: why || null, title: why || [state.model, state.model_source && `(${state.model_source})`].filter(Boolean).join(" ") });
  };
  const openers = { models: () => model.open(focusMessage), agents: agent.open, variants: effort.open };
  return { fields: [agent.field, model.box, effort.field], show, openers };
}
