// Single keys, the same as in the show's own window; ? lists them.

import { byId, make, remember, remembered } from "./elements.js";

const TOGGLES = { b: "blackout", " ": "freeze", m: "mirror", l: "overlay", c: "record", k: "record_take" };
const PRESSES = { r: "reset", o: "reset_on_bar", t: "tap", n: "next_scene" };
const LISTED = [
  ["B", "blackout"],
  ["Space", "freeze"],
  ["T", "tap the tempo"],
  ["R", "reset"],
  ["O", "reset on the bar"],
  ["M", "mirror"],
  ["L", "overlay"],
  ["C", "record"],
  ["K", "record a take"],
  ["1 – 9", "recall a scene"],
  ["Shift 1 – 9", "save a scene"],
  ["N", "next scene"],
  ["Arrows", "move a slider; with Shift finely"],
  ["Page ↑ ↓", "move a slider by a tenth"],
  ["Delete", "set a slider back"],
  ["?", "this list"],
];
const TAKES_KEYS = "input, select, textarea, dialog";
const TAKES_SPACE = "button, summary, a";

export class Shortcuts {
  #values;
  #scenes;

  constructor(values, scenes) {
    this.#values = values;
    this.#scenes = scenes;
    const dialog = byId("shortcuts");
    const on = byId("shortcuts-on");
    byId("shortcut-list").replaceChildren(...LISTED.map(([key, text]) => make("div", {}, make("dt", {}, make("kbd", {}, key)), make("dd", {}, text))));
    byId("help").addEventListener("click", () => dialog.showModal());
    byId("shortcuts-close").addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    on.checked = remembered("shortcuts") !== "off";
    on.addEventListener("change", () => remember("shortcuts", on.checked ? "on" : "off"));
    document.addEventListener("keydown", (event) => this.#press(event));
  }

  #press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.defaultPrevented) return;
    const slider = event.target.matches?.("input[type=range], input[type=checkbox]");
    if (event.target.closest?.(TAKES_KEYS) && !(slider && event.key !== " ")) return;
    if (event.key === " " && event.target.closest?.(TAKES_SPACE)) return;
    if (event.key === "?") byId("shortcuts").showModal();
    else if (!byId("shortcuts-on").checked || !this.#act(event)) return;
    event.preventDefault();
  }

  #act({ key, code, shiftKey }) {
    const digit = /^Digit([1-9])$/.exec(code)?.[1];
    const lower = key.toLowerCase();
    if (digit) {
      if (shiftKey) this.#scenes.save(Number(digit));
      else this.#scenes.recall(Number(digit));
    } else if (TOGGLES[lower] && this.#values.get(TOGGLES[lower]) !== undefined) this.#values.toggle(TOGGLES[lower]);
    else if (PRESSES[lower]) this.#values.press(PRESSES[lower]);
    else return false;
    return true;
  }
}
