// The scenes: recall, save, rename, order, delete with undo.

import { byId, iconButton, make } from "./elements.js";
import { announce, tell, toast } from "./messages.js";
import { Playlist } from "./playlist.js";
import { sortable } from "./sortable.js";

const MOST_SCENES = 128;

const nameOf = ({ number, name }) => name || `Scene ${number}`;

export class Scenes {
  #connection;
  #list = byId("scene-list");
  #scenes = [];
  #deleted = new Set(); // Scenes whose deletion can still be undone.
  #unfolded = 0;
  #renaming = 0;
  #playing = 0;
  #played = { entries: [], position: -1, left: 0 };
  #isMoving;
  #playlist;

  constructor(connection, values) {
    this.#connection = connection;
    this.#playlist = new Playlist(connection, values, nameOf);
    connection.addEventListener("scenes", ({ detail }) => this.#take(detail));
    connection.addEventListener("telemetry", ({ detail }) => this.#mark(detail.scene));
    this.#isMoving = sortable(this.#list, {
      moved: (row, place, places) => announce(`${row.dataset.name}, place ${place} of ${places}`),
      done: () => this.#order(),
    });
    byId("save-scene").addEventListener("click", () => this.saveNew());
  }

  recall(number) {
    return tell(this.#connection.ask({ do: "recall", number }));
  }

  async save(number) {
    if (await tell(this.#connection.ask({ do: "save_scene", number }))) toast(`The show is saved as scene ${number}.`);
  }

  saveNew() {
    const taken = new Set(this.#scenes.map(({ number }) => number));
    const free = Array.from({ length: MOST_SCENES }, (_, index) => index + 1).find((number) => !taken.has(number));
    if (free) this.save(free);
    else toast(`All ${MOST_SCENES} scenes are saved; delete one or save over one.`);
  }

  #take({ scenes, playlist }) {
    this.#scenes = scenes;
    this.#played = playlist;
    this.#render();
  }

  #render() {
    if (this.#isMoving() || this.#renaming) return;
    const focused = document.activeElement?.closest?.("[data-part]");
    const place = focused && this.#list.contains(focused) ? [focused.closest("li").dataset.number, focused.dataset.part] : null;
    const shown = this.#scenes.filter(({ number }) => !this.#deleted.has(number));
    this.#playlist.show(shown, this.#played);
    this.#list.replaceChildren(...shown.map((scene) => this.#row(scene)));
    byId("scene-empty").hidden = shown.length > 0;
    if (place) this.#list.querySelector(`[data-number="${place[0]}"] [data-part="${place[1]}"]`)?.focus();
  }

  #row(scene) {
    const { number, model } = scene;
    const name = nameOf(scene);
    const open = this.#unfolded === number;
    const recall = make(
      "button",
      { type: "button", class: "scene-recall", "data-part": "recall", "aria-current": this.#playing === number ? "true" : null, onclick: () => this.recall(number) },
      make("span", { class: "scene-number" }, String(number)),
      make("span", { class: "scene-name" }, name),
      model ? make("small", {}, model) : null,
    );
    const row = make(
      "li",
      { class: "scene", "data-number": number, "data-name": name },
      iconButton("move", `Move ${name}: arrow keys, or drag`, null, { class: "icon-button handle", "data-part": "move" }),
      recall,
      iconButton("more", `More about ${name}`, () => this.#unfold(number), { class: "icon-button more", "aria-expanded": String(open), "data-part": "more" }),
    );
    if (open)
      row.append(
        make(
          "div",
          { class: "scene-actions" },
          this.#action("rename", "Rename", () => this.#rename(scene, row)),
          this.#action("save", "Save over", () => this.save(number)),
          this.#action("delete", "Delete", () => this.#delete(scene)),
        ),
      );
    return row;
  }

  #action(name, text, onclick) {
    return make("button", { type: "button", class: "button", "data-part": name, onclick }, text);
  }

  #unfold(number) {
    this.#unfolded = this.#unfolded === number ? 0 : number;
    this.#render();
  }

  #rename(scene, row) {
    this.#renaming = scene.number;
    const input = make("input", { type: "text", class: "text", value: scene.name, maxlength: 60, "aria-label": `Name of scene ${scene.number}`, autocomplete: "off" });
    const end = (name) => {
      if (this.#renaming !== scene.number) return;
      this.#renaming = 0;
      this.#render();
      this.#list.querySelector(`[data-number="${scene.number}"] [data-part="recall"]`)?.focus();
      if (name !== null && name !== scene.name) tell(this.#connection.ask({ do: "rename_scene", number: scene.number, name }));
    };
    input.addEventListener("keydown", ({ key }) => {
      if (key === "Enter") end(input.value.trim());
      else if (key === "Escape") end(null);
    });
    input.addEventListener("blur", () => end(input.value.trim()));
    row.querySelector(".scene-recall").replaceWith(input);
    input.focus();
    input.select();
  }

  // The show is asked when the time for an undo is over.
  #delete(scene) {
    const back = () => {
      this.#deleted.delete(scene.number);
      this.#render();
    };
    this.#deleted.add(scene.number);
    this.#unfolded = 0;
    this.#render();
    byId("save-scene").focus();
    toast(`${nameOf(scene)} is deleted.`, {
      undo: back,
      after: async () => {
        if (await tell(this.#connection.ask({ do: "delete_scene", number: scene.number }))) this.#scenes = this.#scenes.filter(({ number }) => number !== scene.number);
        back();
      },
    });
  }

  async #order() {
    const numbers = [...this.#list.children].map((row) => Number(row.dataset.number));
    const place = (number) => numbers.indexOf(number) + 1 || numbers.length + 1;
    this.#scenes = this.#scenes.toSorted((one, other) => place(one.number) - place(other.number));
    await tell(this.#connection.ask({ do: "order_scenes", numbers: this.#scenes.map(({ number }) => number) }));
    this.#played = { ...this.#played, entries: this.#playlist.order(this.#scenes) };
    this.#render();
  }

  #mark(playing) {
    if (playing === this.#playing) return;
    this.#playing = playing;
    for (const row of this.#list.children) {
      const button = row.querySelector(".scene-recall");
      if (Number(row.dataset.number) === playing) button?.setAttribute("aria-current", "true");
      else button?.removeAttribute("aria-current");
    }
  }
}
