// What a parameter's row unfolds: its help and range, its mapping, its MIDI control.

import { written } from "./control.js";
import { make, setText, spoken } from "./elements.js";
import { tell } from "./messages.js";

const CHECK_AFTER_MS = 200;

// Fills `place` and returns what shows the newest mapping and MIDI control there.
export function detail(place, parameter, context) {
  const happens = ["trigger", "event"].includes(parameter.kind);
  const help = parameter.help.charAt(0).toUpperCase() + parameter.help.slice(1).replace(/\.?$/, ".");
  place.replaceChildren(make("p", { class: "hint" }, `${help} ${range(parameter)}`.trim()));
  if (parameter.locked) place.append(make("p", { class: "hint" }, "It is locked against remotes."));
  const refreshers = [];
  if (!happens && !parameter.locked) {
    place.append(make("p", { class: "row-line" }, make("button", { type: "button", class: "button", onclick: () => context.values.set(parameter.name, parameter.default) }, "Back to default")));
    refreshers.push(mappingEditor(place, parameter, context));
  }
  if (!parameter.locked) refreshers.push(midiLine(place, parameter, context));
  const refresh = () => refreshers.forEach((one) => one());
  refresh();
  return refresh;
}

function range(parameter) {
  if (parameter.kind === "bool" || parameter.kind === "trigger" || parameter.choices.length) return "";
  const unit = parameter.unit && ` ${parameter.unit}`;
  const plain = (value) => String(Number(written(parameter, value)));
  const bounds = `From ${plain(parameter.low)} to ${plain(parameter.high)}${unit}`;
  return parameter.kind === "event" ? `${bounds}.` : `${bounds}; ${plain(parameter.default)} by default.`;
}

function mappingEditor(place, parameter, context) {
  const { connection } = context;
  const id = `mapping-${parameter.name}`;
  const input = make("input", { type: "text", class: "text", id, autocomplete: "off", autocapitalize: "off", spellcheck: "false", maxlength: 500, "aria-describedby": `${id}-state`, placeholder: "value * (0.5 + level)" });
  const state = make("p", { class: "sentence", id: `${id}-state`, role: "status" });
  const apply = make("button", { type: "button", class: "button", onclick: () => set(input.value.trim()) }, "Apply");
  const clear = make("button", { type: "button", class: "button", onclick: () => { input.value = ""; set(""); } }, "Clear");
  let timer = 0;
  let asked = 0;

  const show = (ok, text) => {
    input.setAttribute("aria-invalid", String(!ok));
    setText(state, text);
    state.classList.toggle("problem", !ok);
  };
  const check = async () => {
    const mine = ++asked;
    const expression = input.value.trim();
    if (!expression) return show(true, "");
    const { ok, text } = await connection.ask({ do: "check_mapping", parameter: parameter.name, expression });
    if (mine === asked) show(ok, ok ? "Right so far; Enter applies it." : text);
  };
  const set = async (expression) => {
    clearTimeout(timer);
    const mine = ++asked;
    const { ok, text } = await connection.ask({ do: "set_mapping", parameter: parameter.name, expression });
    if (ok) delete input.dataset.typed;
    if (mine === asked) show(ok, ok ? (expression ? "Plays." : "The parameter is left alone.") : text);
  };
  input.addEventListener("input", () => {
    input.dataset.typed = "yes";
    clearTimeout(timer);
    timer = setTimeout(check, CHECK_AFTER_MS);
  });
  input.addEventListener("keydown", ({ key }) => key === "Enter" && set(input.value.trim()));

  const insert = (text) => {
    input.setRangeText(text, input.selectionStart, input.selectionEnd, "end");
    input.focus();
    input.dispatchEvent(new Event("input"));
  };
  const words = (list, ending) => list.map((word) => make("button", { type: "button", class: "word", onclick: () => insert(word + ending) }, word + ending));
  const listed = make("details", { class: "words" }, make("summary", {}, "Variables and functions"), make("div", {}, ...words(context.variables, ""), ...words(context.functions, "(")));
  place.append(make("label", { class: "field-label", for: id }, "Mapping"), make("p", { class: "row-line" }, input, apply, clear), state, listed);
  return () => {
    if (!input.dataset.typed) input.value = context.mappings[parameter.name] ?? "";
  };
}

function midiLine(place, parameter, context) {
  const line = make("div", { class: "midi-line" });
  place.append(make("p", { class: "field-label" }, "MIDI"), line);
  let shown = "";
  return () => {
    const { midi, connection } = context;
    const ours = midi?.assignments.filter((one) => one.parameter === parameter.name) ?? [];
    const learning = midi?.learning === parameter.name;
    const now = JSON.stringify([midi?.available, ours, learning]);
    if (now === shown) return;
    shown = now;
    if (!midi?.available) return line.replaceChildren(make("p", { class: "hint" }, "The show listens to no MIDI port; start it with --midi."));
    line.replaceChildren(
      ...ours.map((one) => make("p", { class: "row-line" }, make("span", {}, one.sender), make("button", { type: "button", class: "button", "aria-label": `Forget ${one.sender}`, onclick: () => tell(connection.ask({ do: "midi_forget", assignment: one.id })) }, "Forget"))),
      make(
        "p",
        { class: "row-line" },
        make("button", { type: "button", class: "button", "aria-pressed": String(learning), onclick: () => tell(connection.ask(learning ? { do: "midi_cancel" } : { do: "midi_learn", parameter: parameter.name })) }, learning ? "Cancel" : "Learn"),
        make("span", { class: "hint", role: "status" }, learning ? `Move the control that shall move ${spoken(parameter.name, parameter.unit)}.` : ""),
      ),
    );
  };
}
