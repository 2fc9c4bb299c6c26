"""A loudspeaker that plays what a source plays, a chosen time later. One that is lost is opened again when it returns; the show goes on."""

# sounddevice ships no types.
# pyright: basic

from __future__ import annotations

import threading
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.audio.listening.played_sound import PlayedSound
from engine.audio.listening.playhead import Playhead
from engine.audio.sources.conversion import Conversion
from engine.audio.sources.portaudio import OPEN_STREAMS, find_output, load_sounddevice, restart_portaudio
from engine.audio.sources.sound_device import SoundDevice
from engine.core.clock import Clock
from engine.core.counted import counted
from engine.core.errors import SourceError
from engine.core.notices import INTERVAL_S

# T samples, C channels

BLOCK_SAMPLES = 512
DRIVER_S = 0.2
"""Sound asked to lie in the driver, so that none is missing when another thread of the show holds the interpreter."""
AHEAD_S = 0.5
"""How long before the source plays it sound is put in."""
SPARE_S = 0.15
"""How much later than that it may come: the longest step."""
LONGEST_DRIVER_S = 1.0
"""Longer times from a driver are wrong."""
SILENT_S = 3.0
"""A driver that asks for no sound for so long has lost its loudspeaker. PulseAudio takes two seconds to begin."""
REOPEN_EVERY_S = 0.4
CLOSE_WITHIN_S = 2.0
CHANNELS = 2
FADE_SAMPLES = 240

Sound = NDArray[np.float32]


class _Playback(NamedTuple):
    """What belongs to one opening of the device."""

    rate_hz: int
    channels: int
    conversion: Conversion
    played: PlayedSound
    playhead: Playhead


class Loudspeaker:
    """The output `name` (None: the default) for sound of a rate and channels. `put` and `attend` are for one thread."""

    def __init__(self, name: str | None, rate_hz: int, channels: int, clock: Clock) -> None:
        """Open it; it is silent until sound is put in. Raises SourceError."""
        self._device = find_output(name)
        self._source_rate_hz, self._source_channels = rate_hz, channels
        self._clock = clock
        self.name = self._device.name
        self.wanted_s = 0.0
        """The delay that is wanted, from a sample's playing by the source to its sounding. Set at any time."""
        self._delay_s: float | None = None
        self._gaps = self._told_gaps = 0
        self._told_s = -INTERVAL_S
        self._is_gap = False
        self._has_ended = False
        self._asked_s = clock.now_s()
        self._driver_s = self._measured_s = DRIVER_S
        self._notices: list[str] = []
        self._closing = threading.Event()
        self._reopening: threading.Thread | None = None
        self._stream: Any = None
        self._playback = self._begin(self._device)
        sounddevice = load_sounddevice()
        try:
            self._stream = self._open(self._device)
        except (sounddevice.PortAudioError, ValueError) as error:
            raise SourceError(
                f"The loudspeaker '{self.name}' cannot be opened ({error}); is another program holding it? Name another one with "
                "--listen, or leave --listen out."
            ) from error

    @property
    def has_sound(self) -> bool:
        """Whether it was given any sound."""
        return self._playback.played.newest is not None

    @property
    def driver_s(self) -> float:
        """How much sound the driver holds, as it says itself with the newest block."""
        return self._measured_s

    @property
    def least_s(self) -> float:
        """The least delay that it allows; below 0 it sounds before the source has played it."""
        return self._driver_s + BLOCK_SAMPLES / self._playback.rate_hz + SPARE_S - AHEAD_S

    @property
    def delay_s(self) -> float:
        """The delay: the one that is wanted, or the least."""
        return max(self.wanted_s, self.least_s)

    @property
    def gaps(self) -> int:
        """How often sound was missing when the driver asked for it."""
        return self._gaps

    @property
    def corrected_samples(self) -> tuple[int, int]:
        """Samples left out and added so far, to follow the loudspeaker's clock."""
        return self._playback.playhead.left_out, self._playback.playhead.added

    def put(self, sound_TC: Sound, played_s: float) -> None:
        """Add sound whose last sample the source plays at `played_s`, at best AHEAD_S before that; none says a new time alone."""
        playback = self._playback
        is_empty = not len(sound_TC)
        converted_TC = (
            np.zeros((0, playback.channels), np.float32) if is_empty else playback.conversion.convert(sound_TC)
        )
        if is_empty or len(converted_TC):
            playback.played.put(np.nan_to_num(converted_TC).clip(-1.0, 1.0), played_s - playback.conversion.delay_s)

    def end(self) -> None:
        """Say that no more sound comes: what is missing from now on is no gap."""
        self._has_ended = True

    def attend(self) -> list[str]:
        """Open a lost loudspeaker again, in a thread, and return the notices since the last call."""
        busy = self._reopening is not None and self._reopening.is_alive()
        if not busy and not self._closing.is_set() and self._clock.now_s() - self._asked_s > SILENT_S:
            self._notices.append(f"The loudspeaker {self.name} was lost; it is opened again as soon as it returns.")
            self._reopening = threading.Thread(target=self._reopen, name="loudspeaker", daemon=True)
            self._reopening.start()
        gaps, now_s = self._gaps, self._clock.now_s()
        if gaps != self._told_gaps and now_s - self._told_s >= INTERVAL_S:
            self._told_gaps, self._told_s = gaps, now_s
            self._notices.append(
                f"The loudspeaker {self.name} did not get its sound in time ({counted(gaps, 'time')} so far)."
            )
        notices, self._notices = self._notices, []
        return notices

    def close(self) -> None:
        """Stop; what was put in and is due soon is played to its end first. A second call does nothing: it would wait once more for a
        server that hangs."""
        if self._closing.is_set():
            return
        if self._has_ended and self._stream is not None:
            # Sound that comes before its frames has been heard by now.
            self._clock.sleep(min(max(0.0, self.delay_s), LONGEST_DRIVER_S))
        self._closing.set()
        if self._reopening:
            self._reopening.join(CLOSE_WITHIN_S)
        stream, self._stream = self._stream, None
        _close_in_thread(stream)

    def fill(self, out_TC: Sound, samples: int, times: Any, status: Any) -> None:
        """Fill one block: the driver's callback."""
        now_s, playback = self._clock.now_s(), self._playback
        self._asked_s = now_s
        ahead_s = times.outputBufferDacTime - times.currentTime
        if 0.0 < ahead_s < LONGEST_DRIVER_S:
            self._measured_s = ahead_s
        else:
            ahead_s = self._driver_s
        newest = playback.played.newest
        if newest is None:
            out_TC[:] = 0.0
            return
        delay_s = self.delay_s
        before_s, self._delay_s = self._delay_s, delay_s
        moved = 0 if before_s is None else round((before_s - delay_s) * playback.rate_hz)
        due = newest.end + (now_s + ahead_s - delay_s - newest.played_s) * playback.rate_hz
        span = playback.playhead.next(samples, due, moved)
        out_TC[:] = stretched(playback.played.read(span.first - 1, span.taken + 3), samples)
        if span.left is not None:
            _fade(out_TC, playback.played.read(span.left, samples))
        self._count_gap(span.first + span.taken > newest.end or bool(status and status.output_underflow))

    def _count_gap(self, is_gap: bool) -> None:
        if is_gap and not self._is_gap and not self._has_ended:
            self._gaps += 1
        self._is_gap = is_gap

    def _begin(self, device: SoundDevice) -> _Playback:
        rate_hz = self._source_rate_hz if _accepts(device, self._source_rate_hz) else device.rate_hz
        channels = min(CHANNELS, device.channels)
        columns = [min(channel, self._source_channels - 1) for channel in range(channels)]
        conversion = Conversion(self._source_rate_hz, self._source_channels, rate_hz, columns)
        return _Playback(rate_hz, channels, conversion, PlayedSound(rate_hz, channels), Playhead(rate_hz))

    def _open(self, device: SoundDevice) -> Any:
        sounddevice = load_sounddevice()
        stream = sounddevice.OutputStream(
            device=device.index,
            samplerate=self._playback.rate_hz,
            channels=self._playback.channels,
            blocksize=BLOCK_SAMPLES,
            dtype="float32",
            latency=DRIVER_S,
            callback=self.fill,
        )
        OPEN_STREAMS.opened()
        try:
            stream.start()
        except sounddevice.PortAudioError:
            _close_in_thread(stream)
            raise
        self._asked_s = self._clock.now_s()
        if 0.0 < float(stream.latency) < LONGEST_DRIVER_S:
            self._driver_s = self._measured_s = float(stream.latency)
        return stream

    def _reopen(self) -> None:
        """Open the device again as soon as it is there."""
        stream, self._stream = self._stream, None
        _close_in_thread(stream)
        sounddevice = load_sounddevice()
        while not self._closing.wait(REOPEN_EVERY_S):
            try:
                restart_portaudio()
                device = find_output(self.name)
                self._playback, self._delay_s = self._begin(device), None
                self._stream = self._open(device)
            except (SourceError, sounddevice.PortAudioError, ValueError):
                continue
            if self._closing.is_set():
                stream, self._stream = self._stream, None
                _close_in_thread(stream)
                return
            self._notices.append(f"The loudspeaker {self.name} is back.")
            return


def stretched(sound_TC: Sound, samples: int) -> Sound:
    """Return `samples` samples from a block that has one sample more before it and two after it.

    Where it has as many of its own, these, to the bit; else on cubic curves through them.
    """
    taken = len(sound_TC) - 3
    if taken == samples:
        return sound_TC[1:-2]
    at_T = np.arange(samples) * (taken / samples)
    whole_T = at_T.astype(np.intp)
    t_T1 = (at_T - whole_T)[:, None].astype(np.float32)
    before, here, after, later = (sound_TC[whole_T + offset] for offset in range(4))
    slope, slope_after = (after - before) / 2, (later - here) / 2
    rise = after - here
    curve_TC = here + t_T1 * (
        slope + t_T1 * (3 * rise - 2 * slope - slope_after + t_T1 * (slope + slope_after - 2 * rise))
    )
    return curve_TC.astype(np.float32)


def _fade(out_TC: Sound, left_TC: Sound) -> None:
    """Fade in the block that is played from the one that would have gone on."""
    length = min(FADE_SAMPLES, len(out_TC))
    share_T1 = (np.arange(1, length + 1, dtype=np.float32) / length)[:, None]
    out_TC[:length] = left_TC[:length] + (out_TC[:length] - left_TC[:length]) * share_T1


def _accepts(device: SoundDevice, rate_hz: int) -> bool:
    sounddevice = load_sounddevice()
    try:
        sounddevice.check_output_settings(
            device=device.index, channels=min(CHANNELS, device.channels), dtype="float32", samplerate=rate_hz
        )
    except (sounddevice.PortAudioError, ValueError):
        return False
    return True


def _close_in_thread(stream: Any) -> None:
    """Close in a thread and wait at most CLOSE_WITHIN_S: with a dead sound server `close` may never return."""
    if stream is None:
        return

    def close() -> None:
        stream.close(ignore_errors=True)
        # Last: PortAudio must not be restarted under a `close` that has not returned.
        OPEN_STREAMS.closed()

    thread = threading.Thread(target=close, name="close", daemon=True)
    thread.start()
    thread.join(CLOSE_WITHIN_S)
