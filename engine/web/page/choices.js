// What plays and what else can be chosen: models and inputs.

import { byId, make } from "./elements.js";
import { toast } from "./messages.js";

export class Choices {
  #connection;
  #place;
  #request;

  // `what` is the type of the message and its list; `request` the command that chooses.
  constructor(connection, what, request) {
    this.#connection = connection;
    this.#place = byId(what);
    this.#request = request;
    connection.addEventListener(what, ({ detail }) => this.#show(detail[what]));
  }

  #show(choices) {
    const focused = this.#place.contains(document.activeElement) ? document.activeElement.dataset.id : null;
    this.#place.replaceChildren(...choices.map((choice) => this.#button(choice)));
    if (!choices.length) this.#place.append(make("p", { class: "hint" }, "There is no other to choose."));
    if (focused) [...this.#place.children].find((button) => button.dataset.id === focused)?.focus();
  }

  #button({ id, name, detail, plays, problem }) {
    return make(
      "button",
      { type: "button", class: "choice", "data-id": id, "aria-current": plays ? "true" : null, "aria-disabled": problem ? "true" : null, onclick: () => (problem ? toast(problem) : plays || this.#choose(id, name)) },
      make("span", { class: "choice-name" }, name),
      make("small", {}, plays ? `${detail}${detail ? " · " : ""}plays` : detail),
      problem ? make("small", { class: "choice-problem" }, problem) : null,
    );
  }

  async #choose(choice, name) {
    const { ok, text } = await this.#connection.ask({ do: this.#request, choice });
    toast(ok ? `${name} comes in.` : text);
  }
}
