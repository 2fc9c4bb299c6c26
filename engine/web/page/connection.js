// The page's socket: JSON both ways (docs/web.md). It comes back by itself, and says so.

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 4000;
const ANSWERED_WITHIN_MS = 2000;
const SILENCE_MS = 4000; // Telemetry comes 20 times a second: a longer silence is a lost connection.
const GREETED_WITHIN_MS = 10000; // A busy machine takes its time to open one; whoever gives up too early never gets in.

export class Connection extends EventTarget {
  #socket = null;
  #waiting = new Map();
  #nextId = 1;
  #tries = 0;
  #retry = 0;
  #heardMs = 0;
  #isGreeted = false;
  #told = "";

  constructor() {
    super();
    setInterval(() => this.#checkSilence(), 1000);
    addEventListener("online", () => this.retryNow());
    document.addEventListener("visibilitychange", () => document.hidden || this.retryNow());
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  open() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = (this.#socket = new WebSocket(`${scheme}://${location.host}/page/socket`));
    this.#heardMs = performance.now();
    this.#isGreeted = false;
    socket.onmessage = ({ data }) => this.#take(socket, data);
    socket.onclose = () => this.#lost(socket);
  }

  retryNow() {
    if (!this.#retry) return;
    clearTimeout(this.#retry);
    this.#retry = 0;
    this.#tries = 0;
    this.open();
  }

  // Resolves to the reply {ok, text}; without a connection to a sentence, never to an exception.
  ask(request) {
    if (!this.isOpen) return Promise.resolve({ ok: false, text: "The show does not answer; the page tries again by itself." });
    const id = this.#nextId++;
    this.#socket.send(JSON.stringify({ id, ...request }));
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  #take(socket, data) {
    if (socket !== this.#socket) return;
    this.#heardMs = performance.now();
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    // A model that takes over brings another hello.
    if (message.type === "hello" && !this.#isGreeted) {
      this.#isGreeted = true;
      this.#tries = 0;
      this.#state("open");
    }
    if (message.type === "reply") {
      this.#waiting.get(message.id)?.(message);
      this.#waiting.delete(message.id);
    } else this.dispatchEvent(new CustomEvent(message.type, { detail: message }));
  }

  #checkSilence() {
    const longestMs = this.#isGreeted ? SILENCE_MS : GREETED_WITHIN_MS;
    if (!this.#socket || document.hidden || performance.now() - this.#heardMs < longestMs) return;
    if (this.#socket.readyState <= WebSocket.OPEN) {
      const socket = this.#socket;
      socket.close();
      this.#lost(socket);
    }
  }

  #lost(socket) {
    if (socket !== this.#socket) return;
    this.#socket = null;
    for (const resolve of this.#waiting.values()) resolve({ ok: false, text: "The connection broke off before the show answered." });
    this.#waiting.clear();
    const waitMs = Math.min(FIRST_WAIT_MS * 2 ** this.#tries++, LONGEST_WAIT_MS) * (0.8 + 0.4 * Math.random());
    this.#retry = setTimeout(() => {
      this.#retry = 0;
      this.open();
    }, waitMs);
    this.#say(waitMs);
  }

  // A refused socket gives no reason; a request for a file of the page has a status.
  async #say(waitMs) {
    if (this.#told !== "refused") this.#state("lost", waitMs);
    let refused = false;
    try {
      const answer = await fetch("/page/page.css", { method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(ANSWERED_WITHIN_MS) });
      refused = [401, 403].includes(answer.status);
    } catch {
      // Nobody is there.
    }
    const state = refused ? "refused" : "lost";
    if (this.#retry && this.#told !== state) this.#state(state, waitMs);
  }

  #state(state, waitMs = 0) {
    this.#told = state;
    this.dispatchEvent(new CustomEvent("state", { detail: { state, waitMs } }));
  }
}
