"""A live sound input: stalls become silence, stale sound is dropped, a lost device is reopened when it returns."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.audio.ring import Ring
from engine.audio.sources.block_size import BlockSize
from engine.audio.sources.capture_backend import CaptureBackend, CaptureError, CaptureStream, StreamFormat
from engine.audio.sources.channel_choice import ChannelChoice
from engine.audio.sources.conversion import Conversion
from engine.audio.sources.portaudio import PREFERRED_RATE_HZ
from engine.audio.sources.sleep_watch import SleepWatch
from engine.audio.sources.sound_device import SoundDevice
from engine.audio.sources.spec import MOST_CHANNELS
from engine.audio.sources.watchdog import Watchdog
from engine.core.clock import Clock, asleep_s
from engine.core.counted import counted
from engine.core.errors import SourceError

# T samples, C channels

SYSTEM = "system"
"""What the machine plays: this input follows the default output."""
RING_S = 4.0
BLOCKS_HELD = 2
"""Blocks in the driver: one is delivered while the other fills."""
POLL_S = 0.001
SILENT_POLL_S = 0.005
REOPEN_EVERY_S = 0.4
LOST_AFTER_S = 10.0
"""A device that gives no sound for so long is opened again: drivers do not always notice the end of their server."""
CLOSE_WITHIN_S = 2.0
# Larger ages from the driver are wrong, as JACK's are.
_OLDEST_BLOCK_S = 0.5
# PulseAudio's times are up to 0.3 s off until it has measured its own latency.
_TIMES_WRONG_S = 2.0


class _Intake(NamedTuple):
    """The buffer and conversion of one stream."""

    ring: Ring
    first_channel: int
    """The ring holds the device's channels from this one on, as many as it has."""
    conversion: Conversion
    opened_s: float
    dropped_before: int
    """Samples dropped by earlier streams."""

    @property
    def dropped_samples(self) -> int:
        return self.dropped_before + self.ring.dropped_samples


class Microphone:
    """An input at 48 kHz if possible: its chosen channels, without a choice mono or the first two."""

    live = True

    def __init__(
        self,
        backend: CaptureBackend,
        wanted: str | None,
        clock: Clock,
        *,
        kind: str = "mic",
        channels: tuple[int, ...] = (),
        slept_s: Callable[[], float] = asleep_s,
    ) -> None:
        """Find the device that is called `wanted` (None: the default) and check that it has the `channels`, numbered from 1.

        `slept_s` tells how long the machine has slept so far. Raises SourceError.
        """
        self._backend = backend
        self._device = backend.find(wanted)
        # A lost device is looked for by this name. What the machine plays may move to another output, and the default input of a
        # sound server is the one that the user chooses there; but a show must not continue with another microphone by itself.
        is_followed = kind == SYSTEM or (wanted is None and backend.follows_default)
        self._wanted = wanted if is_followed else self._device.key or self._device.name
        self._choice = ChannelChoice(channels, self._device.channels)
        self._clock = clock
        self.name = f"{kind}: {self._device.name}"
        self._choice.check(self.name)
        self.rate_hz = backend.choose_rate_hz(
            self._device, self._choice.needed(self._device.channels), PREFERRED_RATE_HZ
        )
        self.channels = self._choice.count
        self._blocks = BlockSize(clock.now_s())
        self._intake = self._make_intake(self.rate_hz, self._device.channels, 0)
        self._watchdog = Watchdog(self.rate_hz, clock.now_s())
        self._sleep = SleepWatch(slept_s)
        self._stream: CaptureStream | None = None
        self._received = threading.Event()
        """For a stream in a thread of ours: a block has come."""
        self._closing = threading.Event()
        self._reopening: threading.Thread | None = None
        self._notices: list[str] = []
        self._reported_stalled = False
        self._reported_lost = False
        self._stalled_since_s = clock.now_s()
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
        reported_s = stream.latency_s if stream is not None else 0.0
        return reported_s if 0.0 < reported_s < _OLDEST_BLOCK_S else BLOCKS_HELD * self.block_s

    def start(self) -> None:
        self._watchdog = Watchdog(self.rate_hz, self._clock.now_s())
        try:
            self._stream = self._open(self.rate_hz, self._device.channels)
        except CaptureError as error:
            raise SourceError(
                f"{self.name} cannot be opened ({error}): another program may use it alone; close that program or choose "
                "another input of --devices."
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
        """Wait for a block. A driver is polled every millisecond: to be woken by it would take a lock that its callback could wait for."""
        until_s = self._clock.now_s() + timeout_s
        while (
            not self._intake.ring.waiting_blocks
            and not self._watchdog.inserts_silence
            and self._clock.now_s() < until_s
        ):
            if self._backend.has_own_threads:
                self._received.wait(SILENT_POLL_S)
                self._received.clear()
            else:
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
        # A second call would wait once more for a server that hangs.
        if self._closing.is_set():
            return
        self._closing.set()
        if self._reopening:
            self._reopening.join(CLOSE_WITHIN_S)
        stream, self._stream = self._stream, None
        close_in_thread(stream)

    def _make_intake(self, rate_hz: int, device_channels: int, dropped_before: int) -> _Intake:
        first, end = self._choice.span(device_channels)
        return _Intake(
            Ring(round(RING_S * rate_hz), end - first),
            first,
            Conversion(rate_hz, end - first, self.rate_hz, self._choice.columns(device_channels)),
            self._clock.now_s(),
            dropped_before,
        )

    def _open(self, rate_hz: int, device_channels: int) -> CaptureStream:
        """Open as many channels as are needed, or all where the driver refuses fewer. Raises CaptureError."""
        samples = self._blocks.samples
        needed = self._choice.needed(device_channels)
        for channels in sorted({needed, device_channels}):
            asked = StreamFormat(
                rate_hz=rate_hz,
                channels=channels,
                block_samples=samples,
                # Less than "low", which ignores the block size. A driver that needs more takes it.
                latency_s=BLOCKS_HELD * samples / rate_hz,
            )
            try:
                # Each stream has its own ring: one that hangs while it is closed must not write into the next one's.
                stream = self._backend.open(self._device, asked, partial(self._receive, self._intake))
            except CaptureError:
                if channels == device_channels:
                    raise
            else:
                self._blocks.note_opened(self._clock.now_s())
                return stream
        raise AssertionError("a device has channels")

    def _receive(self, intake: _Intake, sound_TC: NDArray[np.float32], age_s: float, has_lost: bool) -> None:
        """Copy one block into the ring: the audio callback."""
        now_s = self._clock.now_s()
        if has_lost:
            self.count_overflow()
        valid_from_s = max(intake.opened_s, self._watchdog.flowing_since_s) + _TIMES_WRONG_S
        plausible = 0.0 < age_s < _OLDEST_BLOCK_S and now_s > valid_from_s
        end = intake.first_channel + intake.ring.channels
        intake.ring.write(sound_TC[:, intake.first_channel : end], now_s, now_s - age_s if plausible else now_s)
        if self._backend.has_own_threads:
            self._received.set()

    def _check_device(self, now_s: float) -> None:
        """Report stalls and lost sound; start to reopen a lost device."""
        # Before the other checks: the reopening thread sets the new stream before it ends.
        busy = self._reopening is not None and self._reopening.is_alive()
        self._notice_stall(now_s)
        grown = self._notice_losses(now_s, busy)
        if busy or self._closing.is_set():
            return
        stream, slept_s = self._stream, self._sleep.slept_s()
        if slept_s:
            self._notices.append(f"The machine slept for {slept_s:.0f} s; {self.name} is opened again.")
            self._start_reopening(lost=True)
        elif stream is not None and not stream.active:
            self._notice_lost("was lost; it is opened again as soon as it returns.")
        elif self._watchdog.stalled and now_s - self._stalled_since_s > LOST_AFTER_S:
            self._stalled_since_s = now_s
            self._notice_lost(f"was lost or sleeps; it is opened again every {LOST_AFTER_S:.0f} s.")
        elif grown:
            self._start_reopening(lost=False)

    def _notice_stall(self, now_s: float) -> None:
        watchdog = self._watchdog
        if watchdog.stalled != self._reported_stalled:
            self._reported_stalled = watchdog.stalled
            self._reported_lost = self._reported_lost and watchdog.stalled
            self._stalled_since_s = now_s
            self._notices.append(
                f"{self.name} gives no sound; silence replaces it until it returns."
                if watchdog.stalled
                else f"{self.name} is back; {watchdog.stale_samples / self.rate_hz:.1f} s of sound were dropped as stale so far."
            )

    def _notice_lost(self, outlook: str) -> None:
        """Say once what is done about a lost device, and do it."""
        again = self._backend.opens_again
        if not self._reported_lost:
            self._notices.append(
                f"{self.name} {outlook if again else 'was lost; to hear it again, start the show again.'}"
            )
        self._reported_lost = True
        if again:
            self._start_reopening(lost=True)

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
        self._notices.append(f"{self.name}: the driver lost sound ({counted(self._overflows, 'time')} so far).")
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
        close_in_thread(stream)
        reported = ""
        while not self._closing.wait(REOPEN_EVERY_S if lost else 0.0):
            # After a failed attempt the device counts as lost.
            was_lost, lost = lost, True
            try:
                if was_lost:
                    self._backend.refresh()
                    self._device = self._find_again()
                self._stream = self._open_again(self._device)
                self._reported_lost = self._watchdog.stalled and self._reported_lost
            except SourceError:
                continue
            except CaptureError as error:
                # While the sound server is down a device may be listed and not open: report it once.
                if str(error) != reported:
                    reported = str(error)
                    self._notices.append(f"{self.name} cannot be opened yet ({error}); trying again.")
                continue
            if self._closing.is_set():
                close_in_thread(self._stream)
            return

    def _find_again(self) -> SoundDevice:
        device = self._backend.find(self._wanted)
        if (device.key, device.name) != (self._device.key, self._device.name):
            self._notices.append(f"{self.name} has moved: the sound comes from {device.name} now.")
        return device

    def _open_again(self, device: SoundDevice) -> CaptureStream:
        """Open the device in its old format if possible, else in its new one, converted."""
        rate_hz = self._backend.choose_rate_hz(device, self._choice.needed(device.channels), self.rate_hz)
        before = self._intake
        # One assignment: the capture thread reads it meanwhile.
        self._intake = self._make_intake(rate_hz, device.channels, before.dropped_samples)
        stream = self._open(rate_hz, device.channels)
        missing = self._choice.missing(device.channels)
        if rate_hz != self.rate_hz or device.channels < self._choice.needed(MOST_CHANNELS):
            self._notices.append(
                f"{self.name} returned with {rate_hz} Hz and {counted(device.channels, 'channel')}; its sound is converted to the show's "
                f"{self.rate_hz} Hz and {self.channels}" + (f", channel {missing} is silent." if missing else ".")
            )
        return stream


def close_in_thread(stream: CaptureStream | None) -> None:
    """Close in a thread and wait at most CLOSE_WITHIN_S: with a dead JACK server `close` never returns."""
    if stream is None:
        return
    thread = threading.Thread(target=stream.close, name="close", daemon=True)
    thread.start()
    thread.join(CLOSE_WITHIN_S)
