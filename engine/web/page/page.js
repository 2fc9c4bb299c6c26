// The page of a show: joins its parts.

import { Choices } from "./choices.js";
import { Connection } from "./connection.js";
import { byId, make, remember, remembered, setText } from "./elements.js";
import { Log } from "./log.js";
import { announce } from "./messages.js";
import { Meters } from "./meters.js";
import { showMidi } from "./midi.js";
import { Parameters } from "./parameters.js";
import { Preview } from "./preview.js";
import { Scenes } from "./scenes.js";
import { Shortcuts } from "./shortcuts.js";
import { BrowserSound } from "./sound.js";
import { Values } from "./values.js";
import { showViews } from "./views.js";

const TOP_BUTTONS = ["blackout", "record", "record_take", "overlay"];
const PREVIEW_WIDTHS = [["1280", "Fitting"], ["256", "256 pixels"], ["512", "512 pixels"]];
const PREVIEW_RATES = ["5", "10", "20", "30"];

const connection = new Connection();
const values = new Values(connection);
const scenes = new Scenes(connection, values);
new Meters(connection, values);
new Parameters(connection, values);
new Choices(connection, "models", "play_model");
new Choices(connection, "inputs", "play_input");
new Log(connection);
new Shortcuts(values, scenes);
showMidi(connection);
showViews();
topButtons();
connectionState();
preview();
sound();
keepListsFresh();
// The cookie stands for the token now; nobody needs to read it over a shoulder.
history.replaceState(null, "", location.pathname);
connection.open();

// What a list shows changes with what plays, whoever changed it.
function keepListsFresh() {
  const last = {};
  const follow = (what, now) => {
    if (what in last && last[what] !== now) connection.ask({ do: "list", what });
    last[what] = now;
  };
  connection.addEventListener("telemetry", ({ detail }) => {
    follow("models", detail.model);
    follow("inputs", detail.source);
  });
}

function topButtons() {
  for (const name of TOP_BUTTONS) {
    const button = byId(name);
    button.addEventListener("click", () => values.toggle(name));
    values.watch(name, (on) => {
      button.hidden = false;
      button.setAttribute("aria-pressed", String(Boolean(on)));
      if (name === "blackout") document.body.toggleAttribute("data-blackout", Boolean(on));
    });
  }
  byId("tap").addEventListener("click", () => values.press("tap"));
  connection.addEventListener("table", ({ detail }) => {
    const named = new Map(detail.parameters.map((one) => [one.name, one]));
    byId("tap").hidden = !named.has("tap");
    for (const name of TOP_BUTTONS) byId(name).disabled = Boolean(named.get(name)?.locked);
  });
}

function connectionState() {
  const banner = byId("banner");
  let problem = "";
  let lost = "";
  let timer = 0;
  const show = () => {
    const text = lost || problem;
    banner.hidden = !text;
    byId("banner-retry").hidden = !lost;
    setText(byId("banner-text"), text);
  };
  byId("banner-retry").addEventListener("click", () => connection.retryNow());
  connection.addEventListener("hello", ({ detail }) => {
    document.title = detail.title;
    setText(byId("connection-text"), detail.live ? "Live" : "Rendering");
    byId("browser-sound").hidden = !detail.sound_from_browser;
  });
  connection.addEventListener("telemetry", ({ detail }) => {
    problem = detail.problem;
    show();
  });
  connection.addEventListener("state", ({ detail: { state, waitMs } }) => {
    clearTimeout(timer);
    document.body.dataset.connection = state;
    if (state === "open") {
      if (lost) announce("The show answers again.");
      lost = "";
    } else {
      if (!lost) announce("The show does not answer. The page tries again by itself.");
      setText(byId("connection-text"), "Not connected");
      lost = state === "refused" ? "The show refuses this page; open the address with the token that the show printed when it started." : "The show does not answer; the page tries again by itself.";
      if (state === "lost" && waitMs > 1500) countDown(Math.round(waitMs / 1000));
    }
    show();
  });
  const countDown = (seconds) => {
    lost = `The show does not answer; the next try is in ${seconds} s.`;
    show();
    if (seconds > 1) timer = setTimeout(() => countDown(seconds - 1), 1000);
  };
}

function preview() {
  const width = make("select", { class: "select", id: "preview-width" }, ...PREVIEW_WIDTHS.map(([value, text]) => make("option", { value }, text)));
  const fps = make("select", { class: "select", id: "preview-fps" }, ...PREVIEW_RATES.map((value) => make("option", { value }, `${value} a second`)));
  width.value = remembered("preview.width") || PREVIEW_WIDTHS[0][0];
  fps.value = remembered("preview.fps") || "20";
  byId("preview-settings").append(make("label", { for: width.id }, "Width"), width, make("label", { for: fps.id }, "Frames"), fps);
  const canvas = byId("preview");
  const ratio = (columns, rows) => canvas.parentElement.style.setProperty("--ratio", columns / rows);
  const wanted = () => ({ width: Number(width.value), fps: Number(fps.value) });
  const onState = (state) => {
    byId("stage-note").hidden = state === "on";
    setText(byId("stage-note"), state.problem ?? "No frame yet");
  };
  const shown = new Preview(canvas, byId("features"), { ...wanted(), onState });
  for (const [select, key] of [[width, "preview.width"], [fps, "preview.fps"]])
    select.addEventListener("change", () => {
      remember(key, select.value);
      shown.ask(wanted());
    });
  connection.addEventListener("hello", ({ detail }) => ratio(detail.model.width, detail.model.height));
  // The frames may have another shape than the model's.
  new MutationObserver(() => ratio(canvas.width, canvas.height)).observe(canvas, { attributeFilter: ["width", "height"] });
}

function sound() {
  const button = byId("sound-start");
  let state = "off";
  const show = (now) => {
    state = now;
    const on = sends();
    button.setAttribute("aria-pressed", String(on));
    if (on) list(); // The names are told only now.
    setText(button, on ? "Stop sending" : "Send the microphone");
    setText(byId("sound-state"), now.problem ?? { off: "", asking: "The browser asks you.", on: "The show hears this device.", waiting: "The show can hear this device now: choose web under Sound." }[now]);
    byId("sound-state").classList.toggle("problem", Boolean(now.problem));
  };
  const browserSound = new BrowserSound(show);
  const sends = () => state === "on" || state === "waiting";
  const device = byId("sound-device");
  const list = async () => {
    const found = await BrowserSound.devices();
    device.hidden = found.length < 2;
    device.replaceChildren(...found.map(({ id, name }) => make("option", { value: id, selected: id === device.value }, name)));
  };
  connection.addEventListener("inputs", ({ detail }) => sends() && show(detail.inputs.some(({ name, plays }) => name.startsWith("web") && plays) ? "on" : "waiting"));
  device.addEventListener("change", () => sends() && browserSound.start(device.value));
  button.addEventListener("click", () => (sends() || state === "asking" ? browserSound.stop() : browserSound.start(device.value)));
  list();
}
