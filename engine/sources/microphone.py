"""A sound input, kept alive: stalls become silence, old sound is dropped, a lost device is reopened when it returns."""

# sounddevice ships no types.
# pyright: basic

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.clock import Clock
from engine.errors import SourceError
from engine.ring import Ring
from engine.sources.portaudio import choose_rate_hz, find_input, load_sounddevice, restart_portaudio
from engine.sources.watchdog import Watchdog

# T samples, C channels

BLOCK_SAMPLES = 256
RING_S = 4.0
POLL_S = 0.001
SILENT_POLL_S = 0.005
REOPEN_EVERY_S = 1.0
CLOSE_WITHIN_S = 2.0
# Beyond this the driver's time of capture is nonsense, as JACK's are.
_OLDEST_BLOCK_S = 0.5


class Microphone:
    """The input called `name` (None: the default), at 48 kHz if it can, in mono or stereo."""

    live = True

    def __init__(self, name: str | None, clock: Clock) -> None:
        """Find the device. Raises SourceError."""
        device = find_input(name)
        # By this name it is looked for when it was lost: a show must not go on with another microphone.
        self._device_name = device.name
        self._clock = clock
        self.name = f"mic: {device.name}"
        self.rate_hz = choose_rate_hz(device)
        self.channels = device.channels
        self._device_index = device.index
        self._ring = Ring(round(RING_S * self.rate_hz), self.channels)
        self._watchdog = Watchdog(self.rate_hz, clock.now_s())
        self._stream: Any = None
        self._stream_ended = threading.Event()
        self._closing = threading.Event()
        self._reopening: threading.Thread | None = None
        self._notices: list[str] = []
        self._told_stalled = False
        self._told_dropped = 0
        self._overflows = 0
        self._told_overflows = 0

    @property
    def dropped_samples(self) -> int:
        return self._ring.dropped_samples

    def start(self) -> None:
        sounddevice = load_sounddevice()
        self._watchdog = Watchdog(self.rate_hz, self._clock.now_s())
        try:
            self._stream = self._open()
        except (sounddevice.PortAudioError, ValueError) as error:
            raise SourceError(
                f"{self.name} cannot be opened ({error}); is another program holding it? Choose another input."
            ) from error

    def read(self) -> tuple[NDArray[np.float32], float | None]:
        parts_TC: list[NDArray[np.float32]] = []
        captured_s = now_s = self._clock.now_s()
        for block in self._ring.read():
            admission = self._watchdog.admit(len(block.sound_TC), block.arrived_s)
            if admission.silent_samples:
                parts_TC.append(np.zeros((admission.silent_samples, self.channels), np.float32))
            if admission.admitted:
                parts_TC.append(block.sound_TC)
                captured_s = block.captured_s
        silent_samples = self._watchdog.silence(now_s)
        if silent_samples:
            parts_TC.append(np.zeros((silent_samples, self.channels), np.float32))
            captured_s = now_s
        self._look_after()
        sound_TC = np.concatenate(parts_TC) if parts_TC else np.zeros((0, self.channels), np.float32)
        return sound_TC, captured_s

    def wait(self, timeout_s: float) -> None:
        """Look every millisecond: any way of being woken by the callback would be a lock that the callback could wait for."""
        until_s = self._clock.now_s() + timeout_s
        while not self._ring.waiting_blocks and not self._watchdog.stands_in and self._clock.now_s() < until_s:
            self._clock.sleep(POLL_S)
        if self._watchdog.stands_in:
            self._clock.sleep(SILENT_POLL_S)

    def notices(self) -> list[str]:
        notices, self._notices = self._notices, []
        return notices

    def close(self) -> None:
        self._closing.set()
        if self._reopening:
            self._reopening.join(CLOSE_WITHIN_S)
        stream, self._stream = self._stream, None
        _close_apart(stream)

    def _open(self) -> Any:
        # Each stream has its own: the end of an old one says nothing about its successor.
        ended = threading.Event()
        stream = load_sounddevice().InputStream(
            device=self._device_index,
            samplerate=self.rate_hz,
            channels=self.channels,
            blocksize=BLOCK_SAMPLES,
            dtype="float32",
            latency="low",
            callback=self._take,
            finished_callback=ended.set,
        )
        stream.start()
        self._stream_ended = ended
        return stream

    def _take(self, sound_TC: NDArray[np.float32], samples: int, times: Any, status: Any) -> None:
        """The audio callback: copy and leave."""
        now_s = self._clock.now_s()
        if status and status.input_overflow:
            self._overflows += 1
        # PortAudio stamps the first sample, on a clock of its own.
        age_s = times.currentTime - times.inputBufferAdcTime - samples / self.rate_hz
        self._ring.write(sound_TC, now_s, now_s - age_s if 0.0 < age_s < _OLDEST_BLOCK_S else now_s)

    def _look_after(self) -> None:
        """Notice a stall and its end, lost sound, and a lost device, which it begins to reopen."""
        self._notice_stall()
        self._notice_losses()
        if self._stream_ended.is_set() and not self._closing.is_set():
            self._stream_ended.clear()
            self._notices.append(f"{self.name} was lost; it is opened again as soon as it returns.")
            self._reopening = threading.Thread(target=self._reopen, name="reopen", daemon=True)
            self._reopening.start()

    def _notice_stall(self) -> None:
        watchdog, stream = self._watchdog, self._stream
        if watchdog.stalled != self._told_stalled:
            self._told_stalled = watchdog.stalled
            if watchdog.stalled and stream is not None and not stream.active:
                self._stream_ended.set()
            self._notices.append(
                f"{self.name} gives no sound; silence is played until it returns."
                if watchdog.stalled
                else f"{self.name} is back; {watchdog.stale_samples / self.rate_hz:.1f} s of sound came too late so far."
            )

    def _notice_losses(self) -> None:
        if self._ring.dropped_samples != self._told_dropped:
            lost_s = (self._ring.dropped_samples - self._told_dropped) / self.rate_hz
            self._told_dropped = self._ring.dropped_samples
            self._notices.append(f"{self.name}: {lost_s:.2f} s of sound were lost; the steps could not keep up.")
        if self._overflows != self._told_overflows:
            self._told_overflows = self._overflows
            self._notices.append(
                f"{self.name}: the system lost sound before it came here ({self._overflows} times so far)."
            )

    def _reopen(self) -> None:
        stream, self._stream = self._stream, None
        _close_apart(stream)
        sounddevice = load_sounddevice()
        while not self._closing.wait(REOPEN_EVERY_S):
            try:
                restart_portaudio()
                self._device_index = find_input(self._device_name).index
                self._stream = self._open()
            except (SourceError, sounddevice.PortAudioError, ValueError):
                continue
            if self._closing.is_set():
                _close_apart(self._stream)
            return


def _close_apart(stream: Any) -> None:
    """Close in a thread of its own and wait a little: with a dead JACK server this never returns."""
    if stream is None:
        return
    thread = threading.Thread(target=stream.close, kwargs={"ignore_errors": True}, name="close", daemon=True)
    thread.start()
    thread.join(CLOSE_WITHIN_S)
