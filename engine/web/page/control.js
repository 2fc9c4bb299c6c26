// The control that fits a parameter: slider, number, toggle, button or choice.

import { make, spoken } from "./elements.js";
import { toast } from "./messages.js";

const LONG_PRESS_MS = 600;
const SURE_AFTER_PX = 8;
const ARROW_SHARE = 0.01;
const FINE_SHARE = 0.001;
const PAGE_SHARE = 0.1;

export function decimals({ kind, low, high }) {
  if (kind !== "float") return 0;
  const span = high - low;
  return span > 400 ? 0 : span > 40 ? 1 : 2;
}

export const written = (parameter, value) => Number(value).toFixed(decimals(parameter)).replace(/^-(0(\.0*)?)$/, "$1");

const readNumber = (text, { low, high }) => {
  const number = Number(text.trim().replace(",", "."));
  // The show says what is wrong with what is no number.
  return Number.isFinite(number) ? Math.min(Math.max(number, low), high) : text.trim();
};

// Returns the elements of a control in their order; the first one bears the id that the label is for.
export function control(parameter, values, id) {
  const build = { slider, number, toggle, button, choice }[parameter.widget];
  return build(parameter, values, id);
}

export function resetOn(element, parameter, values, longPress) {
  const reset = () => {
    values.set(parameter.name, parameter.default);
    toast(`${spoken(parameter.name, parameter.unit)} is back at its default.`);
  };
  element.addEventListener("dblclick", (event) => {
    event.preventDefault();
    reset();
  });
  if (!longPress) return;
  let timer = 0;
  const end = () => clearTimeout(timer);
  element.addEventListener("pointerdown", ({ pointerType }) => {
    if (pointerType !== "mouse") timer = setTimeout(reset, LONG_PRESS_MS);
  });
  for (const name of ["pointerup", "pointercancel", "pointerleave", "pointermove"]) element.addEventListener(name, end);
  element.addEventListener("contextmenu", (event) => event.preventDefault());
}

function slider(parameter, values, id) {
  const { name, low, high } = parameter;
  const input = make("input", { type: "range", class: "slider", id, min: low, max: high, step: "any", disabled: parameter.locked });
  const zero = Math.min(Math.max(0, low), high);
  const share = (value) => (high > low ? (value - low) / (high - low) : 0);
  input.style.setProperty("--default", share(parameter.default));
  values.watch(name, (value) => {
    input.value = value;
    input.style.setProperty("--from", share(Math.min(value, zero)));
    input.style.setProperty("--to", share(Math.max(value, zero)));
    input.setAttribute("aria-valuetext", `${written(parameter, value)} ${parameter.unit}`.trim());
  });
  const touch = touched(input, values, name);
  input.addEventListener("input", () => touch.mayScroll() || values.set(name, Number(input.value)));
  input.addEventListener("pointerdown", () => values.hold(name));
  for (const end of ["pointerup", "pointercancel", "lostpointercapture", "blur", "change"]) input.addEventListener(end, () => values.release(name));
  input.addEventListener("keydown", (event) => {
    if (event.key === "Delete" || event.key === "Backspace") values.set(name, parameter.default);
    else if (!moved(event, values.get(name) ?? parameter.default, parameter, (value) => values.set(name, value))) return;
    event.preventDefault();
  });
  resetOn(input, parameter, values, false);
  return [input, numberEntry(parameter, values)];
}

// A finger on a slider may scroll the page: it sets nothing before it moves sideways or leaves.
function touched(input, values, name) {
  let beganX = null;
  const set = () => {
    beganX = null;
    values.set(name, Number(input.value));
  };
  input.addEventListener("pointerdown", ({ pointerType, clientX }) => (beganX = pointerType === "mouse" ? null : clientX));
  input.addEventListener("pointermove", ({ clientX }) => beganX !== null && Math.abs(clientX - beganX) > SURE_AFTER_PX && set());
  input.addEventListener("pointerup", () => beganX !== null && set());
  input.addEventListener("pointercancel", () => {
    if (beganX === null) return;
    beganX = null;
    input.value = values.get(name);
  });
  return { mayScroll: () => beganX !== null };
}

function moved(event, value, { low, high, kind }, set) {
  const span = high - low;
  const small = event.shiftKey ? FINE_SHARE : ARROW_SHARE;
  const share = { ArrowRight: small, ArrowUp: small, ArrowLeft: -small, ArrowDown: -small, PageUp: PAGE_SHARE, PageDown: -PAGE_SHARE }[event.key];
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  let next = event.key === "Home" ? low : event.key === "End" ? high : share && value + share * span;
  if (next === undefined) return false;
  if (kind !== "float") next = share ? value + Math.sign(share) : Math.round(next);
  set(Math.min(Math.max(next, low), high));
  return true;
}

function numberEntry(parameter, values, id = null) {
  const { name, unit } = parameter;
  const input = make("input", {
    type: "text", class: "number", inputmode: parameter.low < 0 ? "text" : "decimal", autocomplete: "off", spellcheck: "false",
    id, disabled: parameter.locked, "aria-label": id ? null : `${spoken(name, unit)} as a number`,
  });
  const isTyping = () => document.activeElement === input && input.dataset.typed;
  const show = () => {
    if (!isTyping() && values.get(name) !== undefined) input.value = written(parameter, values.get(name));
  };
  const leave = () => {
    delete input.dataset.typed;
    show();
  };
  values.watch(name, show);
  input.addEventListener("input", () => (input.dataset.typed = "yes"));
  input.addEventListener("focus", () => input.select());
  input.addEventListener("blur", () => {
    if (input.dataset.typed && input.value.trim() !== "") values.set(name, readNumber(input.value, parameter));
    leave();
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      if (input.value.trim() !== "") values.set(name, readNumber(input.value, parameter));
      leave();
      input.select();
    } else if (event.key === "Escape") leave();
    else if (event.key.startsWith("ArrowUp") || event.key.startsWith("ArrowDown")) {
      moved(event, values.get(name) ?? parameter.default, parameter, (value) => values.set(name, value));
      event.preventDefault();
    }
  });
  return make("span", { class: "number-entry" }, input, unit ? make("small", { "aria-hidden": "true" }, unit) : null);
}

function number(parameter, values, id) {
  if (parameter.kind === "event") return event(parameter, values, id);
  return [numberEntry(parameter, values, id)];
}

// A whole number that takes effect each time it is sent.
function event(parameter, values, id) {
  const { name, low, high, locked } = parameter;
  const input = make("input", { type: "text", class: "number", inputmode: "numeric", id, value: low, disabled: locked, autocomplete: "off", "aria-description": `from ${low} to ${high}` });
  const send = () => input.value.trim() !== "" && values.set(name, readNumber(input.value, parameter));
  input.addEventListener("keydown", ({ key }) => key === "Enter" && send());
  return [make("span", { class: "number-entry" }, input, make("button", { type: "button", class: "button", disabled: locked, onclick: send }, "Send"))];
}

function toggle({ name, locked }, values, id) {
  const input = make("input", { type: "checkbox", role: "switch", class: "switch", id, disabled: locked });
  values.watch(name, (value) => (input.checked = Boolean(value)));
  input.addEventListener("change", () => values.set(name, input.checked));
  return [input];
}

function button({ name, help, locked }, values, id) {
  return [make("button", { type: "button", class: "button", id, disabled: locked, title: help, onclick: () => values.press(name) }, spoken(name))];
}

function choice({ name, choices, locked }, values, id) {
  const select = make("select", { class: "select", id, disabled: locked }, ...choices.map((text, index) => make("option", { value: index }, spoken(text))));
  values.watch(name, (value) => (select.value = String(value)));
  select.addEventListener("change", () => values.set(name, Number(select.value)));
  return [select];
}
