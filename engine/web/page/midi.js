// The MIDI ports, what moves which parameter, and learning that waits.

import { byId, make, spoken } from "./elements.js";
import { tell } from "./messages.js";

export function showMidi(connection) {
  const place = byId("midi");
  connection.addEventListener("midi", ({ detail: midi }) => {
    if (!midi.available) return place.replaceChildren(make("p", { class: "hint" }, "The show listens to no MIDI port; start it with --midi."));
    const ports = Object.entries(midi.ports).map(([name, open]) => make("li", { class: open ? "port" : "port gone" }, make("span", {}, name), make("small", {}, open ? "open" : "gone")));
    const assignments = midi.assignments.map(({ id, sender, parameter }) =>
      make(
        "li",
        { class: "assignment" },
        make("span", {}, spoken(parameter)),
        make("small", {}, sender),
        make("button", { type: "button", class: "button", "aria-label": `Forget ${sender}`, onclick: () => tell(connection.ask({ do: "midi_forget", assignment: id })) }, "Forget"),
      ),
    );
    place.replaceChildren(make("ul", { class: "plain" }, ...ports, ...assignments));
    if (!assignments.length) place.append(make("p", { class: "hint" }, "No control is learnt yet; unfold a parameter and press Learn."));
    if (midi.learning)
      place.append(
        make("p", { class: "row-line" }, make("span", {}, `Waits for the control that shall move ${spoken(midi.learning)}.`), make("button", { type: "button", class: "button", onclick: () => tell(connection.ask({ do: "midi_cancel" })) }, "Cancel")),
      );
  });
}
