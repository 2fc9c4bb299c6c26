// The values of all parameters: one view of the show's store, for every control on the page.

import { toast } from "./messages.js";

const SEND_EVERY_MS = 33;
const SETTLE_MS = 150; // Feedback that was on its way when the show answered is older than the answer.

export class Values {
  #connection;
  #shown = new Map(); // What controls show.
  #told = new Map(); // What the show told last.
  #watchers = new Map();
  #unsent = new Map();
  #pending = new Map();
  #held = new Set();
  #timer = 0;
  #sentMs = -Infinity;

  constructor(connection) {
    this.#connection = connection;
    connection.addEventListener("values", ({ detail }) => this.#take(detail.values));
    connection.addEventListener("state", ({ detail }) => detail.state === "open" && this.#forgetUnsent());
  }

  get(name) {
    return this.#shown.get(name);
  }

  // Calls `show` now, if the value is known, and at each change. Returns what ends it.
  watch(name, show) {
    if (!this.#watchers.has(name)) this.#watchers.set(name, new Set());
    this.#watchers.get(name).add(show);
    if (this.#shown.has(name)) show(this.#shown.get(name));
    return () => this.#watchers.get(name)?.delete(show);
  }

  set(name, value) {
    // A text is a mistake, for which the show has a sentence.
    if (typeof value !== "string") this.#show(name, value);
    this.#unsent.set(name, value);
    this.#timer ||= setTimeout(() => this.#send(), this.#sentMs + SEND_EVERY_MS - performance.now());
  }

  toggle(name) {
    this.set(name, !this.get(name));
  }

  async press(name) {
    const { ok, text } = await this.#connection.ask({ do: "press", name });
    if (!ok) toast(text);
  }

  // While a control is held no feedback moves it.
  hold(name) {
    this.#held.add(name);
  }

  release(name) {
    if (this.#held.delete(name)) this.#settle(name);
  }

  async #send() {
    this.#timer = 0;
    this.#sentMs = performance.now();
    const values = Object.fromEntries(this.#unsent);
    this.#unsent.clear();
    for (const name in values) this.#pending.set(name, (this.#pending.get(name) ?? 0) + 1);
    const { ok, text } = await this.#connection.ask({ do: "set", values });
    if (!ok) toast(text);
    else for (const name in values) this.#told.set(name, values[name]);
    setTimeout(() => {
      for (const name in values) {
        this.#pending.set(name, Math.max(0, (this.#pending.get(name) ?? 0) - 1));
        this.#settle(name);
      }
    }, SETTLE_MS);
  }

  #take(values) {
    for (const [name, value] of Object.entries(values)) {
      this.#told.set(name, value);
      if (!this.#isOurs(name)) this.#show(name, value);
    }
  }

  #isOurs(name) {
    return this.#held.has(name) || this.#unsent.has(name) || (this.#pending.get(name) ?? 0) > 0;
  }

  #settle(name) {
    if (!this.#isOurs(name) && this.#told.has(name)) this.#show(name, this.#told.get(name));
  }

  #show(name, value) {
    if (this.#shown.get(name) === value) return;
    this.#shown.set(name, value);
    for (const show of this.#watchers.get(name) ?? []) show(value);
  }

  #forgetUnsent() {
    this.#unsent.clear();
    this.#pending.clear();
  }
}
