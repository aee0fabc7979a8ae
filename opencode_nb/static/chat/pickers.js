// Which model answers, as which agent, and with how much effort.

import { make, update } from "../core/dom.js";
import { createCombobox } from "../core/listbox.js";

/** A native select; `show(names, chosen)` sets what it has. */
function createSelect(label, choose) {
  const field = make("select", { class: "chat-select", "aria-label": label, title: label, onchange: () => choose(field.value) });
  return {
    field,
    show(options, chosen) {
      const wanted = JSON.stringify(options);
      if (field.dataset.options !== wanted) {
        field.replaceChildren(...options.map(({ value, text, title }) => make("option", { value, title }, text)));
        field.dataset.options = wanted;
      }
      update(field, { value: chosen, hidden: options.length < 2 });
    },
  };
}

function matches(words, model) {
  const text = `${model.id} ${model.name} ${model.provider}`.toLowerCase();
  return words.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

export function createPickers({ client }) {
  let state = {};
  let known; // asked for once in each visit of the field: what is typed only narrows it
  const pick = async (choice) => {
    await client.tell("pick", choice);
    show(state); // what was refused is not shown as chosen
  };
  const forget = (error) => {
    known = undefined;
    throw error;
  };
  const agent = createSelect("Agent", (name) => pick({ agent: name }));
  const effort = createSelect("Effort", (variant) => pick({ variant }));
  const model = createCombobox({
    label: "Model",
    nothing: "No model with these words",
    async load(words) {
      known ??= client.ask("models");
      return (await known.catch(forget)).filter((one) => matches(words, one))
        .map((one) => ({ ...one, label: one.name || one.id, detail: one.provider, current: one.id === state.model }));
    },
    choose: ({ id }) => pick({ model: id }),
  });
  model.field.addEventListener("blur", () => { known = undefined; });

  const show = (given) => {
    state = given;
    const agents = state.agents ?? [];
    const offered = agents.some(({ name }) => name === state.agent) || !state.agent ? agents : [{ name: state.agent }, ...agents];
    agent.show(offered.map(({ name, description }) => ({ value: name, text: name, title: description })), state.agent);
    const variants = state.variants ?? [];
    effort.show([{ value: "", text: "effort", title: "The model\u2019s own default" }, ...variants.map((name) => ({ value: name, text: name }))], state.variant ?? "");
    model.set((state.model ?? "").replace(/^[^/]*\//, ""));
    update(model.field, { title: state.model ?? "" });
  };
  return { fields: [agent.field, model.box, effort.field], show };
}
