// The lines that the show told, newest at the bottom.

import { byId, make } from "./elements.js";

const MOST_LINES = 200;

export class Log {
  #list = byId("log");
  #newest = 0;

  constructor(connection) {
    connection.addEventListener("notices", ({ detail }) => this.#take(detail.lines));
    // A show that was started again counts from 1.
    connection.addEventListener("state", ({ detail }) => {
      if (detail.state !== "open") return;
      this.#newest = 0;
      this.#list.replaceChildren();
    });
  }

  #take(lines) {
    const atEnd = this.#list.scrollHeight - this.#list.scrollTop - this.#list.clientHeight < 40;
    for (const { number, age_s, text } of lines) {
      if (number <= this.#newest) continue;
      this.#newest = number;
      this.#list.append(make("li", {}, make("time", {}, clock(age_s)), make("span", {}, text)));
    }
    while (this.#list.children.length > MOST_LINES) this.#list.firstChild.remove();
    if (atEnd) this.#list.scrollTop = this.#list.scrollHeight;
  }
}

// The show's clock knows no time of day; the browser's does.
const clock = (ageS) => new Date(Date.now() - 1000 * ageS).toLocaleTimeString([], { hour12: false });
