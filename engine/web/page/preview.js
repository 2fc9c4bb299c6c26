// The show's frames and the model's features, live.
//
//   const preview = new Preview(canvas, featuresCanvas, { width, fps, onState });   width: the most columns, fps: the most frames a second
//   preview.ask({ width, fps });
//   preview.close();
//
// onState gets "on" | "paused" | {problem: sentence}. featuresCanvas may be null. The canvases have the size that the page's style gives
// them; the show sends a size that fits.

const FRAME = 1;
const FEATURES = 2;
const MOST_WIDTH = 1280;
const FPS = 20;
const RETRIES_S = [0.5, 1, 2, 4, 8];
const SHOWN_HOPS = 240;
const RESIZED_AFTER_MS = 200;
const LOST = "The connection to the show is lost. It is made again as soon as the show answers.";

export class Preview {
  constructor(canvas, featuresCanvas, { width = MOST_WIDTH, fps = FPS, onState = () => {} } = {}) {
    this.canvas = canvas;
    this.drawing = canvas.getContext("2d", { alpha: false });
    this.features = featuresCanvas ? new FeatureView(featuresCanvas) : null;
    this.most = width;
    this.fps = fps;
    this.onState = onState;
    this.state = undefined;
    this.socket = null;
    this.attempt = 0;
    this.newest = null;
    this.isDecoding = false;
    this.isClosed = false;
    this.follow = () => (document.hidden ? this.pause() : this.connect());
    document.addEventListener("visibilitychange", this.follow);
    this.resized = new ResizeObserver(() => this.askLater());
    this.resized.observe(canvas);
    this.follow();
  }

  // Another size or rate from now on.
  ask({ width = this.most, fps = this.fps }) {
    this.most = width;
    this.fps = fps;
    this.send();
  }

  close() {
    this.isClosed = true;
    document.removeEventListener("visibilitychange", this.follow);
    this.resized.disconnect();
    this.disconnect();
  }

  wanted() {
    const columns = Math.ceil(this.canvas.clientWidth * window.devicePixelRatio);
    return { width: Math.max(1, Math.min(columns, this.most)), fps: this.fps };
  }

  connect() {
    if (this.isClosed || this.socket) {
      return;
    }
    const { width, fps } = this.wanted();
    const address = new URL(`/page/preview?width=${width}&fps=${fps}`, location.href.replace(/^http/, "ws"));
    const socket = new WebSocket(address);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.asked = JSON.stringify({ width, fps });
    socket.addEventListener("message", ({ data }) => this.socket === socket && this.take(data));
    socket.addEventListener("close", () => {
      if (this.socket !== socket) {
        return;
      }
      this.socket = null;
      this.tell({ problem: this.problem ?? LOST });
      const pause_s = RETRIES_S[Math.min(this.attempt, RETRIES_S.length - 1)];
      this.attempt += 1;
      this.retry = setTimeout(() => document.hidden || this.connect(), 1000 * pause_s);
    });
  }

  // A page that nobody sees costs the show nothing.
  pause() {
    this.disconnect();
    this.tell("paused");
  }

  tell(state) {
    if (state !== this.state) {
      this.state = state;
      this.onState(state);
    }
  }

  disconnect() {
    clearTimeout(this.retry);
    clearTimeout(this.later);
    const socket = this.socket;
    this.socket = null;
    this.attempt = 0;
    socket?.close();
  }

  askLater() {
    clearTimeout(this.later);
    this.later = setTimeout(() => this.send(), RESIZED_AFTER_MS);
  }

  send() {
    const asked = JSON.stringify(this.wanted());
    if (asked !== this.asked && this.socket?.readyState === WebSocket.OPEN) {
      this.asked = asked;
      this.socket.send(asked);
    }
  }

  take(data) {
    if (typeof data === "string") {
      this.problem = JSON.parse(data).problem;
      return;
    }
    const kind = new Uint8Array(data, 0, 1)[0];
    if (kind === FEATURES) {
      this.features?.add(new Uint8Array(data, 1));
    } else if (kind === FRAME) {
      this.newest = new Blob([new Uint8Array(data, 1)], { type: "image/jpeg" });
      this.draw();
    }
  }

  // Draws the newest frame; those that came while one was decoded are left out.
  async draw() {
    if (this.isDecoding) {
      return;
    }
    this.isDecoding = true;
    try {
      while (this.newest && !this.isClosed) {
        const jpeg = this.newest;
        this.newest = null;
        const bitmap = await createImageBitmap(jpeg);
        if (this.canvas.width !== bitmap.width || this.canvas.height !== bitmap.height) {
          this.canvas.width = bitmap.width;
          this.canvas.height = bitmap.height;
        }
        this.drawing.drawImage(bitmap, 0, 0);
        bitmap.close();
        this.begun();
      }
    } finally {
      this.isDecoding = false;
    }
  }

  begun() {
    this.attempt = 0;
    this.problem = undefined;
    this.tell("on");
  }
}

// The model's features, the newest at the right, the lowest band at the bottom.
class FeatureView {
  constructor(canvas) {
    this.canvas = canvas;
    this.drawing = canvas.getContext("2d", { alpha: false });
    this.column = null;
  }

  add(levels) {
    const bands = levels.length;
    if (!bands) {
      return;
    }
    const { canvas, drawing } = this;
    if (this.column?.height !== bands || canvas.height !== bands || canvas.width !== SHOWN_HOPS) {
      canvas.width = SHOWN_HOPS;
      canvas.height = bands;
      this.column = drawing.createImageData(1, bands);
      drawing.fillStyle = `rgb(${PALETTE[0].join(" ")})`;
      drawing.fillRect(0, 0, canvas.width, canvas.height);
    }
    for (let band = 0; band < bands; band += 1) {
      const [red, green, blue] = PALETTE[levels[band]];
      this.column.data.set([red, green, blue, 255], 4 * (bands - 1 - band));
    }
    drawing.drawImage(canvas, -1, 0);
    drawing.putImageData(this.column, canvas.width - 1, 0);
  }
}

// From the page's dark ground over blue and teal to a warm white.
const STOPS = [
  [0, [13, 15, 18]],
  [70, [24, 42, 74]],
  [140, [28, 104, 122]],
  [205, [214, 152, 82]],
  [255, [252, 236, 208]],
];

const PALETTE = Array.from({ length: 256 }, (_, level) => {
  const above = Math.max(1, STOPS.findIndex(([stop]) => level <= stop));
  const [from, to] = [STOPS[above - 1], STOPS[above]];
  const share = (level - from[0]) / (to[0] - from[0]);
  return from[1].map((colour, index) => Math.round(colour + share * (to[1][index] - colour)));
});
