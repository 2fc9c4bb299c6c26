"""A live sound input: stalls become silence, stale sound is dropped, a lost device is reopened when it returns."""

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
"""Blocks in the driver: one is delivered while the other fills."""
POLL_S = 0.001
SILENT_POLL_S = 0.005
REOPEN_EVERY_S = 0.4
CLOSE_WITHIN_S = 2.0
# Larger ages from the driver are wrong, as JACK's are.
_OLDEST_BLOCK_S = 0.5
# PulseAudio's times are up to 0.3 s off until it has measured its own latency.
_TIMES_WRONG_S = 2.0


class _Intake(NamedTuple):
    """The buffer and conversion of one stream."""

    ring: Ring
    conversion: Conversion
    opened_s: float
    dropped_before: int
    """Samples dropped by earlier streams."""

    @property
    def dropped_samples(self) -> int:
        return self.dropped_before + self.ring.dropped_samples


class Microphone:
    """The input `name` (None: the default), at 48 kHz if possible, in mono or stereo."""

    live = True

    def __init__(self, name: str | None, clock: Clock) -> None:
        """Find the device. Raises SourceError."""
        device = find_input(name)
        # A lost device is looked for by this name: a show must not continue with another microphone.
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
        self._reported_stalled = False
        self._reported_dropped = 0
        self._overflows = 0
        self._reported_overflows = 0

    @property
    def dropped_samples(self) -> int:
        return self._intake.dropped_samples

    @property
    def stalled(self) -> bool:
        """Whether the source sends silence because no sound arrives."""
        return self._watchdog.stalled

    @property
    def block_s(self) -> float:
        """Length of the driver's blocks."""
        return self._blocks.samples / self.rate_hz

    @property
    def buffer_s(self) -> float:
        """Most sound that the driver holds back: its own figure once it is open, if plausible."""
        stream = self._stream
        reported_s = float(stream.latency) if stream is not None else 0.0
        return reported_s if 0.0 < reported_s < _OLDEST_BLOCK_S else BLOCKS_HELD * self.block_s

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
        self._check_device(now_s)
        sound_TC = np.concatenate(parts_TC) if parts_TC else np.zeros((0, self.channels), np.float32)
        return sound_TC, captured_s

    def wait(self, timeout_s: float) -> None:
        """Poll every millisecond: to be woken by the callback would take a lock that the callback could wait for."""
        until_s = self._clock.now_s() + timeout_s
        while (
            not self._intake.ring.waiting_blocks
            and not self._watchdog.inserts_silence
            and self._clock.now_s() < until_s
        ):
            self._clock.sleep(POLL_S)
        if self._watchdog.inserts_silence:
            self._clock.sleep(SILENT_POLL_S)

    def count_overflow(self) -> None:
        """Count a loss of sound in the driver."""
        self._overflows += 1

    def notices(self) -> list[str]:
        notices, self._notices = self._notices, []
        return notices

    def close(self) -> None:
        self._closing.set()
        if self._reopening:
            self._reopening.join(CLOSE_WITHIN_S)
        stream, self._stream = self._stream, None
        _close_in_thread(stream)

    def _make_intake(self, rate_hz: int, channels: int, dropped_before: int) -> _Intake:
        return _Intake(
            Ring(round(RING_S * rate_hz), channels),
            Conversion(rate_hz, channels, self.rate_hz, self.channels),
            self._clock.now_s(),
            dropped_before,
        )

    def _open(self, rate_hz: int, channels: int) -> Any:
        # One event per stream: the end of an old stream says nothing about the new one.
        ended = threading.Event()
        samples = self._blocks.samples
        stream = load_sounddevice().InputStream(
            device=self._device.index,
            samplerate=rate_hz,
            channels=channels,
            blocksize=samples,
            dtype="float32",
            # Less than "low", which ignores the block size. A driver that needs more takes it.
            latency=BLOCKS_HELD * samples / rate_hz,
            callback=self.receive,
            finished_callback=ended.set,
        )
        stream.start()
        self._stream_ended = ended
        self._blocks.note_opened(self._clock.now_s())
        return stream

    def receive(self, sound_TC: NDArray[np.float32], samples: int, times: Any, status: Any) -> None:
        """Copy one block into the ring: the audio callback."""
        now_s, intake = self._clock.now_s(), self._intake
        if status and status.input_overflow:
            self.count_overflow()
        # PortAudio stamps the first sample, with a clock of its own.
        age_s = times.currentTime - times.inputBufferAdcTime - samples / self.rate_hz
        valid_from_s = max(intake.opened_s, self._watchdog.flowing_since_s) + _TIMES_WRONG_S
        plausible = 0.0 < age_s < _OLDEST_BLOCK_S and now_s > valid_from_s
        intake.ring.write(sound_TC, now_s, now_s - age_s if plausible else now_s)

    def _check_device(self, now_s: float) -> None:
        """Report stalls and lost sound; start to reopen a lost device."""
        # Before the other checks: the reopening thread sets the new stream's event before it ends.
        busy = self._reopening is not None and self._reopening.is_alive()
        self._notice_stall()
        grown = self._notice_losses(now_s, busy)
        if busy or self._closing.is_set():
            return
        if self._stream_ended.is_set():
            self._stream_ended.clear()
            self._notices.append(f"{self.name} was lost; it is opened again as soon as it returns.")
            self._start_reopening(lost=True)
        elif grown:
            self._start_reopening(lost=False)

    def _notice_stall(self) -> None:
        watchdog, stream = self._watchdog, self._stream
        if watchdog.stalled != self._reported_stalled:
            self._reported_stalled = watchdog.stalled
            if watchdog.stalled and stream is not None and not stream.active:
                self._stream_ended.set()
            self._notices.append(
                f"{self.name} gives no sound; silence replaces it until it returns."
                if watchdog.stalled
                else f"{self.name} is back; {watchdog.stale_samples / self.rate_hz:.1f} s of sound were dropped as stale so far."
            )

    def _notice_losses(self, now_s: float, busy: bool) -> bool:
        """Report lost sound; return True when the block size has grown."""
        dropped_samples = self.dropped_samples
        if dropped_samples != self._reported_dropped:
            lost_s = (dropped_samples - self._reported_dropped) / self.rate_hz
            self._reported_dropped = dropped_samples
            self._notices.append(f"{self.name}: {lost_s:.2f} s of sound were lost; the show did not read them in time.")
        if self._overflows == self._reported_overflows:
            return False
        self._reported_overflows = self._overflows
        self._notices.append(f"{self.name}: the driver lost sound ({self._overflows} times so far).")
        grown = not busy and self._blocks.note_overflow(now_s)
        if grown:
            self._notices.append(
                f"{self.name}: the block size grows to {self._blocks.samples} samples so that no sound is lost; latency "
                f"grows to {1e3 * BLOCKS_HELD * self.block_s:.0f} ms at most."
            )
        return grown

    def _start_reopening(self, lost: bool) -> None:
        self._reopening = threading.Thread(target=self._reopen, args=[lost], name="reopen", daemon=True)
        self._reopening.start()

    def _reopen(self, lost: bool) -> None:
        """Open the device again as soon as it is available; one that was not `lost` still is."""
        stream, self._stream = self._stream, None
        _close_in_thread(stream)
        sounddevice = load_sounddevice()
        reported = ""
        while not self._closing.wait(REOPEN_EVERY_S if lost else 0.0):
            # After a failed attempt the device counts as lost.
            was_lost, lost = lost, True
            try:
                if was_lost:
                    restart_portaudio()
                    self._device = find_input(self._device_name)
                self._stream = self._open_again(self._device)
            except SourceError:
                continue
            except (sounddevice.PortAudioError, ValueError) as error:
                # While the sound server is down a device may be listed and not open: report it once.
                if str(error) != reported:
                    reported = str(error)
                    self._notices.append(f"{self.name} cannot be opened yet ({error}); trying again.")
                continue
            if self._closing.is_set():
                _close_in_thread(self._stream)
            return

    def _open_again(self, device: SoundDevice) -> Any:
        """Open the device in its old format if possible, else in its new one, converted."""
        rate_hz, channels = choose_rate_hz(device, self.rate_hz), min(device.channels, self.channels)
        # One assignment: the capture thread reads it meanwhile.
        self._intake = self._make_intake(rate_hz, channels, self._intake.dropped_samples)
        stream = self._open(rate_hz, channels)
        if (rate_hz, channels) != (self.rate_hz, self.channels):
            self._notices.append(
                f"{self.name} returned with {rate_hz} Hz and {channels} channels; its sound is converted to the show's "
                f"{self.rate_hz} Hz and {self.channels}."
            )
        return stream


def _close_in_thread(stream: Any) -> None:
    """Close in a thread and wait at most CLOSE_WITHIN_S: with a dead JACK server `close` never returns."""
    if stream is None:
        return
    thread = threading.Thread(target=stream.close, kwargs={"ignore_errors": True}, name="close", daemon=True)
    thread.start()
    thread.join(CLOSE_WITHIN_S)
