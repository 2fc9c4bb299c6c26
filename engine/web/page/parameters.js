// All parameters in their groups, the model's own first.

import { control, resetOn } from "./control.js";
import { byId, icon, make, remember, remembered, spoken } from "./elements.js";
import { detail } from "./parameter_detail.js";

const GROUPS = ["model", "effects", "onsets", "sound", "tempo", "scenes", "show"];
const WIDGETS = ["slider", "number", "choice", "toggle", "button"];
const OPEN_ON_A_PHONE = ["model", "effects"];
const PHONE = matchMedia("(max-width: 47.99rem)");

export class Parameters {
  #values;
  #context;
  #rows = new Map();
  #known = "";
  #mappings = {};
  #assignments = [];

  // `context` is what a row's details need: {connection, mappings, midi}.
  constructor(connection, values) {
    this.#values = values;
    this.#context = { connection, values, variables: [], functions: [], midi: null, mappings: {} };
    this.modelName = "Model";
    connection.addEventListener("hello", ({ detail: hello }) => (this.modelName = hello.model.name));
    connection.addEventListener("table", ({ detail: table }) => this.#build(table.parameters));
    connection.addEventListener("mappings", ({ detail: told }) => {
      Object.assign(this.#context, told);
      this.#mark();
    });
    connection.addEventListener("midi", ({ detail: told }) => {
      this.#context.midi = told;
      this.#mark();
    });
  }

  #build(parameters) {
    // A mapping or an assignment that changed leaves the rows, and what is held in them, alone.
    const known = JSON.stringify([this.modelName, parameters.map(({ mapping, midi, ...rest }) => rest)]);
    this.#context.mappings = Object.fromEntries(parameters.filter((one) => one.mapping).map((one) => [one.name, one.mapping]));
    if (known !== this.#known) {
      this.#known = known;
      this.#rows.clear();
      const names = [...new Set([...GROUPS, ...parameters.map(({ group }) => group)])];
      const groups = names.map((name) => [name, parameters.filter(({ group }) => group === name)]).filter(([, members]) => members.length);
      byId("groups").replaceChildren(...groups.map(([name, members]) => this.#group(name, members)));
    }
    this.#mark();
  }

  #group(name, members) {
    const stored = remembered(`group.${name}`);
    const open = stored ? stored === "open" : !PHONE.matches || OPEN_ON_A_PHONE.includes(name);
    const sorted = members.toSorted((one, other) => WIDGETS.indexOf(one.widget) - WIDGETS.indexOf(other.widget));
    const group = make(
      "details",
      { class: "group", open },
      make("summary", {}, make("h2", {}, name === "model" ? `Model: ${this.modelName}` : spoken(name)), icon("more")),
      ...sorted.map((parameter) => this.#row(parameter)),
    );
    group.addEventListener("toggle", () => remember(`group.${name}`, group.open ? "open" : "closed"));
    return group;
  }

  #row(parameter) {
    const id = `parameter-${parameter.name}`;
    const label = make("label", { class: "parameter-name", for: id, title: parameter.help }, make("span", {}, spoken(parameter.name, parameter.unit)));
    const marks = make("span", { class: "marks" });
    const more = make(
      "button",
      { type: "button", class: "icon-button more", "aria-expanded": "false", "aria-controls": `${id}-detail`, "aria-label": `More about ${spoken(parameter.name, parameter.unit)}` },
      icon("more"),
    );
    const place = make("div", { class: "detail", id: `${id}-detail`, hidden: true });
    const row = { parameter, marks, place, refresh: null };
    more.addEventListener("click", () => this.#unfold(row, more));
    if (!["button", "number"].includes(parameter.widget) || parameter.kind === "int") resetOn(label, parameter, this.#values, true);
    this.#rows.set(parameter.name, row);
    // A button bears its name itself.
    const head = parameter.widget === "button" ? marks : make("span", { class: "parameter-head" }, label, marks);
    return make("div", { class: "parameter", "data-widget": parameter.widget, "data-name": parameter.name }, head, ...control(parameter, this.#values, id), more, place);
  }

  #unfold(row, more) {
    const opens = row.place.hidden;
    row.place.hidden = !opens;
    more.setAttribute("aria-expanded", String(opens));
    if (opens) row.refresh = detail(row.place, row.parameter, this.#context);
    else row.place.replaceChildren();
  }

  #mark() {
    for (const { parameter, marks, place, refresh } of this.#rows.values()) {
      const texts = [];
      if (parameter.locked) texts.push(["Locked", "locked against remotes"]);
      if (this.#context.mappings[parameter.name]) texts.push(["ƒ", "follows a mapping"]);
      if (this.#context.midi?.assignments.some((one) => one.parameter === parameter.name)) texts.push(["MIDI", "moved by MIDI"]);
      if (this.#context.midi?.learning === parameter.name) texts.push(["Learning", "waits for a MIDI control"]);
      const shown = texts.map(([text, title]) => make("span", { class: "mark", title }, text));
      if (marks.textContent !== texts.map(([text]) => text).join("")) marks.replaceChildren(...shown);
      if (!place.hidden) refresh?.();
    }
  }
}
