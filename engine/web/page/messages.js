// Sentences for the viewer: short ones on the page, and the same for a screen reader.

import { byId, make } from "./elements.js";

const SHOWN_MS = 6000;

export function announce(text) {
  byId("announcer").textContent = text;
}

// Shows a sentence; with `undo`, a button beside it. `after` is called when it goes without that button.
export function toast(text, { undo = null, after = null } = {}) {
  let timer = 0;
  const leave = () => {
    clearTimeout(timer);
    note.remove();
    removeEventListener("pagehide", end);
  };
  const end = () => {
    leave();
    after?.();
  };
  const note = make("div", { class: "toast" }, make("p", {}, text));
  if (undo)
    note.append(
      make("button", { type: "button", class: "button", onclick: () => { leave(); undo(); } }, "Undo"),
    );
  else note.addEventListener("click", end);
  const places = byId("toasts");
  if (!undo) for (const old of places.querySelectorAll(".toast:not(:has(button))")) old.remove();
  places.append(note);
  timer = setTimeout(end, SHOWN_MS);
  if (after) addEventListener("pagehide", end);
  announce(text);
}

export async function tell(reply) {
  const { ok, text } = await reply;
  if (!ok && text) toast(text);
  return ok;
}
