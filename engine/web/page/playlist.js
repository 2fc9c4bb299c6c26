// The playlist: which scenes take part, and how many bars or seconds each plays.

import { byId, make, setText } from "./elements.js";
import { tell } from "./messages.js";

const NEW_LENGTH = 16;

export class Playlist {
  #connection;
  #nameOf;
  #place = byId("playlist");
  #entries = [];
  #scenes = [];
  #state = { position: -1, left: 0 };

  constructor(connection, values, nameOf) {
    this.#connection = connection;
    this.#nameOf = nameOf;
    const play = byId("playlist-play");
    play.addEventListener("click", () => values.toggle("playlist"));
    const repeat = byId("playlist-repeat");
    repeat.addEventListener("change", ({ target }) => values.set("playlist_loop", target.checked));
    values.watch("playlist_loop", (on) => {
      repeat.hidden = false;
      repeat.firstChild.checked = Boolean(on);
    });
    values.watch("playlist", (runs) => {
      play.hidden = false;
      play.setAttribute("aria-pressed", String(Boolean(runs)));
      play.querySelector("use").setAttribute("href", `#icon-${runs ? "stop" : "play"}`);
      setText(play.querySelector("span"), runs ? "Stop" : "Start");
    });
  }

  show(scenes, playlist) {
    this.#scenes = scenes;
    this.#state = playlist;
    const entries = [...playlist.entries.filter(({ scene }) => scenes.some(({ number }) => number === scene))];
    for (const { number } of scenes)
      if (!entries.some(({ scene }) => scene === number)) entries.push({ scene: number, length: NEW_LENGTH, unit: "bars", takes_part: false });
    const isNew = JSON.stringify([entries, scenes]) !== this.#place.dataset.shown;
    if (isNew && !this.#place.contains(document.activeElement)) {
      this.#entries = entries;
      this.#render();
    }
    this.#mark();
    byId("playlist-head").hidden = scenes.length === 0;
  }

  order(scenes) {
    const place = (entry) => scenes.findIndex(({ number }) => number === entry.scene);
    this.#scenes = scenes;
    this.#entries = this.#entries.toSorted((one, other) => place(one) - place(other));
    this.#render();
    if (this.#entries.some(({ takes_part }) => takes_part)) this.#send();
    return this.#entries;
  }

  #render() {
    this.#place.dataset.shown = JSON.stringify([this.#entries, this.#scenes]);
    this.#place.replaceChildren(...this.#entries.map((entry, index) => this.#row(entry, index)));
    this.#mark();
  }

  #row(entry, index) {
    const name = this.#nameOf(this.#scenes.find(({ number }) => number === entry.scene));
    const takesPart = make("input", { type: "checkbox", class: "check", id: `plays-${index}`, checked: entry.takes_part });
    const length = make("input", { type: "text", inputmode: "decimal", class: "number", value: entry.length, "aria-label": `Length of ${name}`, autocomplete: "off" });
    const unit = make("select", { class: "select", "aria-label": `Unit of the length of ${name}` }, make("option", { value: "bars" }, "bars"), make("option", { value: "seconds", "aria-label": "seconds" }, "s"));
    unit.value = entry.unit;
    const change = async () => {
      const number = Number(length.value.trim().replace(",", "."));
      Object.assign(entry, { takes_part: takesPart.checked, length: Number.isFinite(number) ? number : length.value, unit: unit.value });
      row.classList.toggle("rests", !entry.takes_part);
      await this.#send();
    };
    for (const element of [takesPart, length, unit]) element.addEventListener("change", change);
    const row = make(
      "div",
      { class: entry.takes_part ? "entry" : "entry rests", "data-scene": entry.scene },
      takesPart,
      make("label", { for: takesPart.id, class: "entry-name" }, name),
      make("span", { class: "entry-left" }),
      length,
      unit,
    );
    return row;
  }

  #send() {
    return tell(this.#connection.ask({ do: "set_playlist", entries: this.#entries }));
  }

  #mark() {
    const { position, left } = this.#state;
    [...this.#place.children].forEach((row, index) => {
      const plays = index === position;
      row.classList.toggle("plays", plays);
      setText(row.querySelector(".entry-left"), plays ? `${Math.ceil(left)} left` : "");
    });
  }
}
