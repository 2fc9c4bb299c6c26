// The browser's microphone as the sound of the show.
//
//   const sound = new BrowserSound((state) => …);   "off" | "asking" | "on" | "waiting" (sent, and not the sound of the show yet) | {problem: sentence}
//   await sound.start(deviceId);                    without an id: the browser's default microphone
//   sound.stop();

const MOST_WAITING_S = 0.25; // Of sound that the network does not take; newer sound is dropped then, since it would come too late.
const RETRIES_S = [0.5, 1, 2, 4];

const NOT_SECURE =
  "The browser gives a microphone only to a page with a certificate. Start the show with --web-cert auto and open the address " +
  "that begins with https, or open the page on the machine of the show itself.";
const LOST = "The connection to the show is lost. It is made again as soon as the show answers.";
const UNPLUGGED = "The microphone is gone. Plug it in, or choose another one.";
const REASONS = {
  NotAllowedError: "The microphone was refused. Allow it for this page in the browser's settings, then try again.",
  NotFoundError: "This device has no microphone. Plug one in, then try again.",
  NotReadableError: "The microphone cannot be opened. Another program may have it; close that one, then try again.",
  OverconstrainedError: UNPLUGGED,
};

export class BrowserSound {
  constructor(onState) {
    this.onState = onState;
    this.stream = null;
    this.context = null;
    this.socket = null;
    this.attempt = 0;
    this.turn = 0; // Grows with each start and stop: what belongs to an earlier one is over.
    this.wake = () => this.context?.state === "suspended" && this.context.resume();
  }

  // The microphones that there are. Browsers tell their names only once the user has allowed one.
  static async devices() {
    const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
    return devices
      .filter((device) => device.kind === "audioinput" && device.deviceId)
      .map((device) => ({ id: device.deviceId, name: device.label || "Microphone" }));
  }

  async start(deviceId) {
    this.release();
    const turn = this.turn;
    if (!window.isSecureContext || !navigator.mediaDevices) {
      this.onState({ problem: NOT_SECURE });
      return;
    }
    this.onState("asking");
    try {
      const stream = await navigator.mediaDevices.getUserMedia({
        audio: {
          ...(deviceId ? { deviceId: { exact: deviceId } } : {}),
          // What is made for speech would take the music out.
          echoCancellation: false,
          noiseSuppression: false,
          autoGainControl: false,
          channelCount: { ideal: 2 },
        },
      });
      if (turn !== this.turn) {
        stop(stream);
        return;
      }
      this.stream = stream;
      await this.open(turn, stream);
    } catch (error) {
      if (turn === this.turn) {
        this.fail(REASONS[error.name] ?? `The microphone cannot be opened: ${error.message}.`);
      }
    }
  }

  stop() {
    this.release();
    this.onState("off");
  }

  async open(turn, stream) {
    const track = stream.getAudioTracks()[0];
    track.addEventListener("ended", () => turn === this.turn && this.fail(UNPLUGGED));
    this.channels = Math.min(Math.max(track.getSettings().channelCount ?? 1, 1), 8);
    this.context = new AudioContext({ latencyHint: "interactive" });
    await this.context.audioWorklet.addModule(new URL("sound_worklet.js", import.meta.url));
    if (turn !== this.turn) {
      return;
    }
    const collector = new AudioWorkletNode(this.context, "block-collector", {
      numberOfOutputs: 0,
      channelCount: this.channels,
      channelCountMode: "explicit",
      channelInterpretation: "discrete",
      processorOptions: { channels: this.channels },
    });
    collector.port.onmessage = ({ data }) => this.send(data);
    this.context.createMediaStreamSource(stream).connect(collector);
    // A call, or a page that was in the background, stops the sound.
    this.context.addEventListener("statechange", this.wake);
    document.addEventListener("visibilitychange", this.wake);
    this.wake();
    this.connect(turn);
  }

  connect(turn) {
    const socket = new WebSocket(new URL("/page/sound", location.href.replace(/^http/, "ws")));
    let refused = false;
    this.socket = socket;
    this.heard = false;
    socket.addEventListener("open", () => {
      socket.send(JSON.stringify({ rate_hz: this.context.sampleRate, channels: this.channels }));
    });
    socket.addEventListener("message", ({ data }) => {
      const told = JSON.parse(data);
      if (turn !== this.turn) {
        return;
      }
      if (told.problem) {
        refused = true;
        this.fail(told.problem);
      } else {
        this.attempt = 0;
        this.heard = true;
        this.onState(told.heard ? "on" : "waiting");
        this.stayAwake(turn);
      }
    });
    socket.addEventListener("close", () => {
      if (refused || turn !== this.turn) {
        return;
      }
      this.heard = false;
      this.onState({ problem: LOST });
      const pause_s = RETRIES_S[Math.min(this.attempt, RETRIES_S.length - 1)];
      this.attempt += 1;
      setTimeout(() => turn === this.turn && this.connect(turn), 1000 * pause_s);
    });
  }

  send(block) {
    const most = MOST_WAITING_S * 4 * this.channels * this.context.sampleRate;
    if (this.heard && this.socket.readyState === WebSocket.OPEN && this.socket.bufferedAmount < most) {
      this.socket.send(block);
    }
  }

  // A phone that locks its screen takes the microphone away.
  async stayAwake(turn) {
    try {
      const lock = await navigator.wakeLock?.request("screen");
      if (turn === this.turn) {
        this.lock = lock;
      } else {
        lock?.release();
      }
    } catch {
      // The battery is low, or the page is in the background: the sound goes on for as long as it can.
    }
  }

  fail(problem) {
    this.release();
    this.onState({ problem });
  }

  release() {
    this.turn += 1;
    this.attempt = 0;
    this.heard = false;
    document.removeEventListener("visibilitychange", this.wake);
    this.context?.removeEventListener("statechange", this.wake);
    if (this.context && this.context.state !== "closed") {
      this.context.close();
    }
    if (this.stream) {
      stop(this.stream);
    }
    this.socket?.close();
    this.lock?.release();
    this.stream = this.context = this.socket = this.lock = null;
  }
}

function stop(stream) {
  stream.getTracks().forEach((track) => track.stop());
}
