// The frame age of the last minute as a histogram.

import { byId, setText } from "./elements.js";

const KEPT_MS = 60_000;
const DRAWN_EVERY_MS = 1000;
const BINS = 20;
const LEAST_END_MS = 100;

export class AgeHistogram {
  #ages = [];
  #drawnMs = 0;

  add(ageMs) {
    const nowMs = performance.now();
    if (ageMs > 0) this.#ages.push([nowMs, ageMs]);
    if (nowMs - this.#drawnMs < DRAWN_EVERY_MS) return;
    this.#drawnMs = nowMs;
    const first = this.#ages.findIndex(([atMs]) => nowMs - atMs < KEPT_MS);
    this.#ages.splice(0, first < 0 ? this.#ages.length : first);
    if (this.#ages.length) this.#draw(this.#ages.map(([, age]) => age).sort((one, other) => one - other));
  }

  #draw(sorted) {
    const canvas = byId("age");
    const middle = sorted[sorted.length >> 1];
    const endMs = Math.max(LEAST_END_MS, Math.ceil(sorted.at(-1) / LEAST_END_MS) * LEAST_END_MS);
    const counts = new Array(BINS).fill(0);
    for (const age of sorted) counts[Math.min(Math.floor((BINS * age) / endMs), BINS - 1)]++;
    const scale = devicePixelRatio || 1;
    const [width, height] = [Math.round(canvas.clientWidth * scale), Math.round(canvas.clientHeight * scale)];
    if (!width || !height) return;
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    const pen = canvas.getContext("2d");
    const style = getComputedStyle(canvas);
    const step = width / BINS;
    const most = Math.max(...counts);
    pen.clearRect(0, 0, width, height);
    pen.fillStyle = style.getPropertyValue("--line");
    pen.fillRect(0, height - scale, width, scale);
    pen.fillStyle = style.getPropertyValue("--quiet");
    counts.forEach((count, index) => {
      // A square root, so that the few late ones are seen beside the many.
      const tall = Math.round(Math.sqrt(count / most) * (height - 2 * scale));
      if (count) pen.fillRect(Math.round(index * step), height - Math.max(tall, scale), Math.max(Math.round(step) - scale, scale), Math.max(tall, scale));
    });
    setText(byId("age-end"), `${endMs} ms`);
    canvas.setAttribute("aria-label", `Frame age of the last minute: median ${middle.toFixed(0)} ms, at most ${sorted.at(-1).toFixed(0)} ms`);
  }
}
