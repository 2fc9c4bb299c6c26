"""A sound input, kept alive: stalls become silence, old sound is dropped, a lost device is reopened when it returns."""

# sounddevice ships no types.
# pyright: basic

from __future__ import annotations

import threading
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.audio.ring import Ring
from engine.audio.sources.block_size import BlockSize
from engine.audio.sources.conversion import Conversion
from engine.audio.sources.portaudio import SoundDevice, choose_rate_hz, find_input, load_sounddevice, restart_portaudio
from engine.audio.sources.watchdog import Watchdog
from engine.core.clock import Clock
from engine.core.errors import SourceError

# T samples, C channels

RING_S = 4.0
BLOCKS_HELD = 2
"""Blocks that the driver holds; it hands one over while it fills the other."""
POLL_S = 0.001
SILENT_POLL_S = 0.005
REOPEN_EVERY_S = 0.4
CLOSE_WITHIN_S = 2.0
# Beyond this the driver's time of capture is nonsense, as JACK's are.
_OLDEST_BLOCK_S = 0.5
# PulseAudio's times are up to 0.3 s off until it has measured its own latency for a while.
_TIMES_UNSURE_S = 2.0


class _Intake(NamedTuple):
    """Where one stream's sound goes, and what is made of it."""

    ring: Ring
    conversion: Conversion
    began_s: float
    dropped_before: int
    """Samples that streams before this one dropped."""

    @property
    def dropped_samples(self) -> int:
        return self.dropped_before + self.ring.dropped_samples


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
        self._device = device
        self._blocks = BlockSize(clock.now_s())
        self._intake = self._make_intake(self.rate_hz, self.channels, 0)
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
        return self._intake.dropped_samples

    @property
    def stalled(self) -> bool:
        """Whether silence stands in for sound that stays away."""
        return self._watchdog.stalled

    @property
    def block_s(self) -> float:
        """How much sound the driver hands over at a time."""
        return self._blocks.samples / self.rate_hz

    @property
    def buffer_s(self) -> float:
        """How much the driver holds at most before it comes here: what it says itself once it is open, if that makes sense."""
        stream = self._stream
        told_s = float(stream.latency) if stream is not None else 0.0
        return told_s if 0.0 < told_s < _OLDEST_BLOCK_S else BLOCKS_HELD * self.block_s

    def start(self) -> None:
        sounddevice = load_sounddevice()
        self._watchdog = Watchdog(self.rate_hz, self._clock.now_s())
        try:
            self._stream = self._open(self.rate_hz, self.channels)
        except (sounddevice.PortAudioError, ValueError) as error:
            raise SourceError(
                f"{self.name} cannot be opened ({error}); is another program holding it? Choose another input."
            ) from error

    def read(self) -> tuple[NDArray[np.float32], float | None]:
        parts_TC: list[NDArray[np.float32]] = []
        captured_s = now_s = self._clock.now_s()
        intake = self._intake
        for block in intake.ring.read():
            sound_TC = intake.conversion.convert(block.sound_TC)
            admission = self._watchdog.admit(len(sound_TC), block.arrived_s)
            if admission.silent_samples:
                parts_TC.append(np.zeros((admission.silent_samples, self.channels), np.float32))
            if admission.admitted:
                parts_TC.append(sound_TC)
                captured_s = block.captured_s - intake.conversion.delay_s
        silent_samples = self._watchdog.silence(now_s)
        if silent_samples:
            parts_TC.append(np.zeros((silent_samples, self.channels), np.float32))
            captured_s = now_s
        self._look_after(now_s)
        sound_TC = np.concatenate(parts_TC) if parts_TC else np.zeros((0, self.channels), np.float32)
        return sound_TC, captured_s

    def wait(self, timeout_s: float) -> None:
        """Look every millisecond: any way of being woken by the callback would be a lock that the callback could wait for."""
        until_s = self._clock.now_s() + timeout_s
        while not self._intake.ring.waiting_blocks and not self._watchdog.stands_in and self._clock.now_s() < until_s:
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

    def _make_intake(self, rate_hz: int, channels: int, dropped_before: int) -> _Intake:
        return _Intake(
            Ring(round(RING_S * rate_hz), channels),
            Conversion(rate_hz, channels, self.rate_hz, self.channels),
            self._clock.now_s(),
            dropped_before,
        )

    def _open(self, rate_hz: int, channels: int) -> Any:
        # Each stream has its own: the end of an old one says nothing about its successor.
        ended = threading.Event()
        samples = self._blocks.samples
        stream = load_sounddevice().InputStream(
            device=self._device.index,
            samplerate=rate_hz,
            channels=channels,
            blocksize=samples,
            dtype="float32",
            # Smaller than "low", which is the same whatever the block. A driver that cannot takes more by itself.
            latency=BLOCKS_HELD * samples / rate_hz,
            callback=self._take,
            finished_callback=ended.set,
        )
        stream.start()
        self._stream_ended = ended
        self._blocks.opened(self._clock.now_s())
        return stream

    def _take(self, sound_TC: NDArray[np.float32], samples: int, times: Any, status: Any) -> None:
        """The audio callback: copy and leave."""
        now_s, intake = self._clock.now_s(), self._intake
        if status and status.input_overflow:
            self._overflows += 1
        # PortAudio stamps the first sample, on a clock of its own.
        age_s = times.currentTime - times.inputBufferAdcTime - samples / self.rate_hz
        sure_since_s = max(intake.began_s, self._watchdog.flowing_since_s) + _TIMES_UNSURE_S
        sensible = 0.0 < age_s < _OLDEST_BLOCK_S and now_s > sure_since_s
        intake.ring.write(sound_TC, now_s, now_s - age_s if sensible else now_s)

    def _look_after(self, now_s: float) -> None:
        """Notice a stall and its end, lost sound, and a lost device, which it begins to reopen."""
        # Asked first: the opener puts the new stream's event in place before it ends.
        busy = self._reopening is not None and self._reopening.is_alive()
        self._notice_stall()
        grown = self._notice_losses(now_s, busy)
        if busy or self._closing.is_set():
            return
        if self._stream_ended.is_set():
            self._stream_ended.clear()
            self._notices.append(f"{self.name} was lost; it is opened again as soon as it returns.")
            self._reopen_beside(lost=True)
        elif grown:
            self._reopen_beside(lost=False)

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

    def _notice_losses(self, now_s: float, busy: bool) -> bool:
        """Tell of lost sound; True when the blocks have grown for it."""
        dropped_samples = self.dropped_samples
        if dropped_samples != self._told_dropped:
            lost_s = (dropped_samples - self._told_dropped) / self.rate_hz
            self._told_dropped = dropped_samples
            self._notices.append(f"{self.name}: {lost_s:.2f} s of sound were lost; the steps could not keep up.")
        if self._overflows == self._told_overflows:
            return False
        self._told_overflows = self._overflows
        self._notices.append(
            f"{self.name}: the system lost sound before it came here ({self._overflows} times so far)."
        )
        grown = not busy and self._blocks.overflowed(now_s)
        if grown:
            self._notices.append(
                f"{self.name}: blocks of {self._blocks.samples} samples are taken from now on, so that none is lost; "
                f"up to {1e3 * BLOCKS_HELD * self.block_s:.0f} ms later."
            )
        return grown

    def _reopen_beside(self, lost: bool) -> None:
        self._reopening = threading.Thread(target=self._reopen, args=[lost], name="reopen", daemon=True)
        self._reopening.start()

    def _reopen(self, lost: bool) -> None:
        """Open the device again, as soon as it is there; one that was not `lost` is there."""
        stream, self._stream = self._stream, None
        _close_apart(stream)
        sounddevice = load_sounddevice()
        told = ""
        while not self._closing.wait(REOPEN_EVERY_S if lost else 0.0):
            # What failed once was lost.
            again, lost = lost, True
            try:
                if again:
                    restart_portaudio()
                    self._device = find_input(self._device_name)
                self._stream = self._open_returned(self._device)
            except SourceError:
                continue
            except (sounddevice.PortAudioError, ValueError) as error:
                # While the sound server is down a device may be listed and not open; nobody need be told of that each second.
                if str(error) != told:
                    told = str(error)
                    self._notices.append(f"{self.name} cannot be opened yet ({error}); it is tried again and again.")
                continue
            if self._closing.is_set():
                _close_apart(self._stream)
            return

    def _open_returned(self, device: SoundDevice) -> Any:
        """Open the device as it was, or as it is now, and go on as before."""
        rate_hz, channels = choose_rate_hz(device, self.rate_hz), min(device.channels, self.channels)
        # In one go: the listening thread counts meanwhile.
        self._intake = self._make_intake(rate_hz, channels, self._intake.dropped_samples)
        stream = self._open(rate_hz, channels)
        if (rate_hz, channels) != (self.rate_hz, self.channels):
            self._notices.append(
                f"{self.name} returned with {rate_hz} Hz and {channels} channels; its sound is converted to the show's "
                f"{self.rate_hz} Hz and {self.channels}."
            )
        return stream


def _close_apart(stream: Any) -> None:
    """Close in a thread of its own and wait a little: with a dead JACK server this never returns."""
    if stream is None:
        return
    thread = threading.Thread(target=stream.close, kwargs={"ignore_errors": True}, name="close", daemon=True)
    thread.start()
    thread.join(CLOSE_WITHIN_S)
