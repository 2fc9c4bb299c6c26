// Shows the telemetry: levels, beat, onsets, figures. It draws once a display frame at most.

import { AgeHistogram } from "./age_histogram.js";
import { byId, make, setText } from "./elements.js";

const LEVELS = [["level", "Level"], ["low", "Low"], ["mid", "Mid"], ["high", "High"]];
const INPUT = "input ";
const SPOKEN_EVERY_MS = 2000;
const GUARD_SHOWN_MS = 2000;
const NONE = "–";

export class Meters {
  #levels = new Map();
  #figures = new Map();
  #newest = null;
  #drawing = false;
  #onsets = null;
  #softened = null;
  #softenedMs = -Infinity;
  #spokenMs = 0;
  #guard = true;
  #ages = new AgeHistogram();

  constructor(connection, values) {
    this.#rows([]);
    for (const [name, text] of [["fps", "Frame rate"], ["age", "Frame age"], ["sync", "Sync"], ["skipped", "Skipped"], ["failed", "Failed"], ["guard", "Flash guard"]]) {
      const value = make("dd", {}, NONE);
      byId("figures").append(make("div", {}, make("dt", {}, text), value));
      this.#figures.set(name, value);
    }
    connection.addEventListener("telemetry", ({ detail }) => this.#take(detail));
    values.watch("flash_guard", (on) => (this.#guard = Boolean(on)));
  }

  // One row a level; a show with named inputs has one for each of them too.
  #rows(inputs) {
    const wanted = [...LEVELS, ...inputs.map((name) => [INPUT + name, name])];
    if (wanted.length === this.#levels.size && wanted.every(([name]) => this.#levels.has(name))) return;
    this.#levels = new Map(wanted.map(([name, text]) => [name, this.#meter(text)]));
    byId("levels").replaceChildren(...[...this.#levels.values()].map(({ row }) => row));
  }

  #meter(text) {
    const fill = make("span", { class: "meter-fill" });
    const bar = make("span", { class: "meter", role: "meter", "aria-label": text, "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": 0 }, fill);
    return { row: make("p", { class: "meter-row" }, make("span", { "aria-hidden": "true" }, text), bar), bar, fill };
  }

  #take(telemetry) {
    this.#newest = telemetry;
    this.#ages.add(telemetry.frame_age_ms);
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      this.#draw(this.#newest);
    });
  }

  #draw(now) {
    const nowMs = performance.now();
    const speaks = nowMs - this.#spokenMs > SPOKEN_EVERY_MS;
    if (speaks) this.#spokenMs = nowMs;
    this.#rows(Object.keys(now.inputs));
    for (const [name, { bar, fill }] of this.#levels) {
      const share = Math.min(Math.max(now[name] ?? now.inputs[name.slice(INPUT.length)], 0), 1);
      fill.style.setProperty("--share", share.toFixed(3));
      if (speaks) bar.setAttribute("aria-valuenow", Math.round(100 * share));
    }
    this.#beat(now);
    this.#write(now, nowMs);
    document.body.toggleAttribute("data-recording", now.recording);
    document.body.toggleAttribute("data-recording-take", now.recording_take);
    setText(byId("now"), [now.scene_name || (now.scene ? `Scene ${now.scene}` : ""), now.model, now.source].filter(Boolean).join(" · "));
  }

  #beat(now) {
    const known = now.tempo_bpm > 0;
    setText(byId("tempo"), known ? now.tempo_bpm.toFixed(1) : NONE);
    setText(byId("bar"), known ? `Bar ${now.bar}` : `Bar ${NONE}`);
    const lamps = byId("beats");
    if (lamps.children.length !== now.beats_a_bar) lamps.replaceChildren(...Array.from({ length: now.beats_a_bar }, () => make("span", { class: "beat-lamp" })));
    [...lamps.children].forEach((lamp, index) => lamp.classList.toggle("on", known && index === now.beat - 1));
    if (this.#onsets !== null && now.onsets > this.#onsets) {
      const lamp = byId("onset-lamp");
      lamp.classList.add("on");
      setTimeout(() => lamp.classList.remove("on"), 80);
    }
    this.#onsets = now.onsets;
  }

  #write(now, nowMs) {
    if (this.#softened !== null && now.softened_flashes > this.#softened) this.#softenedMs = nowMs;
    this.#softened = now.softened_flashes;
    const softens = nowMs - this.#softenedMs < GUARD_SHOWN_MS;
    const write = (name, text, state = "") => {
      setText(this.#figures.get(name), text);
      this.#figures.get(name).dataset.state = state;
    };
    write("fps", `${now.fps.toFixed(1)} fps`);
    write("age", `${now.frame_age_ms.toFixed(0)} ms`);
    write("sync", now.sync === null ? now.sync_undefined || NONE : `${now.sync.toFixed(2)}, floor ${now.sync_floor.toFixed(2)}`);
    write("skipped", String(now.skipped_hops));
    write("failed", String(now.failed_steps), now.failed_steps ? "problem" : "");
    write("guard", !this.#guard ? "Off" : softens ? "Softens" : `${now.softened_flashes} softened`, !this.#guard ? "problem" : softens ? "works" : "");
  }
}
