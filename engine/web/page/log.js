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
    for (const { number, at_s, text } of lines) {
      if (number <= this.#newest) continue;
      this.#newest = number;
      this.#list.append(make("li", {}, make("time", {}, clock(at_s)), make("span", {}, text)));
    }
    while (this.#list.children.length > MOST_LINES) this.#list.firstChild.remove();
    if (atEnd) this.#list.scrollTop = this.#list.scrollHeight;
  }
}

function clock(seconds) {
  const two = (number) => String(Math.floor(number)).padStart(2, "0");
  return `${Math.floor(seconds / 3600)}:${two((seconds / 60) % 60)}:${two(seconds % 60)}`;
}
