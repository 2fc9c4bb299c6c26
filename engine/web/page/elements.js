// Builds elements. Data becomes text and attributes, never markup.

export const byId = (id) => document.getElementById(id);

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

export function iconButton(name, label, onclick, attributes = {}) {
  return make("button", { type: "button", class: "icon-button", "aria-label": label, title: label, onclick, ...attributes }, icon(name));
}

export const setText = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};

// "onset_decay_ms" is read as "Onset decay".
export function spoken(name, unit = "") {
  const words = name.split("_");
  const last = words.at(-1).toLowerCase();
  if (words.length > 1 && (last === unit.toLowerCase() || ["ms", "s", "db", "bpm"].includes(last))) words.pop();
  const text = words.join(" ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

// What a viewer chose for this browser: kept where the browser allows it.
export function remembered(key) {
  try {
    return localStorage.getItem(`fluid.${key}`) ?? "";
  } catch {
    return "";
  }
}

export function remember(key, value) {
  try {
    localStorage.setItem(`fluid.${key}`, value);
  } catch {
    // A private window keeps nothing; the page works without.
  }
}
