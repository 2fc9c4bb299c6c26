"""A live source that can be exchanged for another while the show goes on, without a click and without a gap in the count of samples.

Rate and channels stay those that the show began with: another source is converted to them. The sound of the old source fades out where
it is, the new one fades in, and what lies between their capture times is filled up with silence or left out. So a sample more is a
sample later, as with one source, and a take holds the sound as it was played.
"""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from engine.audio.source import Source
from engine.core.errors import UserError
from engine.media.channels import mix_down, mixed
from engine.media.cleaning import silence_faults
from engine.media.rate import RateConverter

# T samples, C channels

FADE_S = 0.01
LONGEST_GAP_S = 0.5
"""So much silence at most stands for the time between the two sources."""


class SwitchableSource:
    """One source at a time. `switch_to` may be called from any thread, the rest by those who read a source."""

    live = True

    def __init__(self, first: Source) -> None:
        self.rate_hz, self.channels = first.rate_hz, first.channels
        self._playing = first
        self._conversion = _Conversion(first, self.rate_hz, self.channels)
        self._lock = threading.Lock()
        self._next: Source | None = None
        self._joint = _Joint(self.rate_hz, self.channels)
        self._captured_s: float | None = None
        self._dropped_before = 0
        self._notices: list[str] = []
        self._is_closed = False

    @property
    def name(self) -> str:
        return self._playing.name

    @property
    def dropped_samples(self) -> int:
        return self._dropped_before + self._playing.dropped_samples

    @property
    def stalled(self) -> bool:
        return self._playing.stalled

    @property
    def block_s(self) -> float:
        return self._playing.block_s

    @property
    def buffer_s(self) -> float:
        return self._playing.buffer_s

    def start(self) -> None:
        self._playing.start()

    def switch_to(self, source: Source) -> None:
        """Play a source that has started, from the next read on. One that waits is closed, and so is the old one."""
        with self._lock:
            waiting, self._next = self._next, None if self._is_closed else source
            if self._is_closed:
                waiting = source
        if waiting is not None:
            _close_beside(waiting)

    def read(self) -> tuple[NDArray[np.float32], float | None] | None:
        with self._lock:
            following, self._next = self._next, None
        if following is not None:
            return self._begin(following)
        block = self._playing.read()
        if block is None:
            return None
        sound_TC, captured_s = block
        converted_TC = self._joint.pass_on(self._conversion.convert(sound_TC), captured_s)
        self._captured_s = captured_s if len(sound_TC) else self._captured_s
        return converted_TC, captured_s

    def wait(self, timeout_s: float) -> None:
        self._playing.wait(timeout_s)

    def notices(self) -> list[str]:
        own, self._notices = self._notices, []
        return [*own, *self._playing.notices()]

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            following, self._next = self._next, None
        if following is not None:
            _close_beside(following)
        self._playing.close()

    def _begin(self, following: Source) -> tuple[NDArray[np.float32], float | None]:
        """Return the end of the old source's sound, faded out, and let the new one begin with the next read."""
        old, captured_s = self._playing, self._captured_s
        sound_TC = np.zeros((0, self.channels), np.float32)
        try:
            block = old.read()
        except UserError:
            # It has failed for good, which is a good reason to leave it.
            block = None
        if block is not None and len(block[0]):
            sound_TC, captured_s = self._conversion.convert(block[0]), block[1]
        ending_TC = self._joint.end(self._joint.pass_on(sound_TC, captured_s), captured_s)
        self._dropped_before += old.dropped_samples
        self._notices += [*old.notices(), f"The sound comes from {following.name} now."]
        self._playing, self._conversion = following, _Conversion(following, self.rate_hz, self.channels)
        self._captured_s = captured_s
        _close_beside(old)
        return ending_TC, captured_s


class _Conversion:
    """From the format of a source to that of the show."""

    def __init__(self, source: Source, rate_hz: int, channels: int) -> None:
        self._channels = channels
        self._rate: RateConverter | None = None
        if source.rate_hz != rate_hz:
            self._rate = RateConverter(source.rate_hz, rate_hz, channels)

    def convert(self, sound_TC: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the sound that is ready [T', channels of the show]."""
        remixed_TC = remixed(sound_TC, self._channels)
        # One faulty sample would spread over its neighbours.
        return remixed_TC if self._rate is None else self._rate.feed(silence_faults(remixed_TC)[0])


def remixed(sound_TC: NDArray[np.float32], channels: int) -> NDArray[np.float32]:
    """Return sound with so many channels: by the rule for channels up to two, more get their mix in equal shares."""
    if sound_TC.shape[1] == channels:
        return sound_TC
    if channels <= 2:
        return mixed(sound_TC, channels)
    # The rule adds many channels and divides by the root of their number: the model gets the mix as it was.
    mix_T = mix_down(sound_TC) / np.float32(np.sqrt(channels))
    return np.repeat(mix_T[:, None], channels, axis=1)


class _Joint:
    """Joins the end of one sound and the beginning of another, by pure logic."""

    def __init__(self, rate_hz: int, channels: int) -> None:
        self._rate_hz = rate_hz
        self._rise_T1 = _rise(round(FADE_S * rate_hz))
        self._last_C = np.zeros(channels, np.float32)
        self._tail_TC = np.zeros((0, channels), np.float32)
        """What is left of the last sample of the old sound, which fades too where the sound broke off."""
        self._faded_samples = len(self._rise_T1)
        self._aligns = False
        self._ended_s: float | None = None

    def pass_on(self, sound_TC: NDArray[np.float32], captured_s: float | None) -> NDArray[np.float32]:
        """Return the next sound: after an end, faded in and aligned by `captured_s`, the capture time of its last sample."""
        missing = 0
        if self._aligns:
            sound_TC, missing = self._aligned(sound_TC, captured_s)
        if not len(sound_TC):
            return sound_TC
        if self._faded_samples < len(self._rise_T1):
            sound_TC = self._faded_in(sound_TC)
        if missing:
            sound_TC = np.concatenate([np.zeros((missing, sound_TC.shape[1]), np.float32), sound_TC])
        if len(self._tail_TC):
            tail_TC, self._tail_TC = self._tail_TC[: len(sound_TC)], self._tail_TC[len(sound_TC) :]
            sound_TC = sound_TC.copy()
            sound_TC[: len(tail_TC)] += tail_TC
        self._last_C = sound_TC[-1].copy()
        return sound_TC

    def end(self, sound_TC: NDArray[np.float32], captured_s: float | None) -> NDArray[np.float32]:
        """Return the last of a sound, faded out, after which another begins."""
        fading = min(len(sound_TC), len(self._rise_T1))
        if fading:
            sound_TC = sound_TC.copy()
            sound_TC[-fading:] *= _rise(fading)[::-1]
            self._last_C = sound_TC[-1].copy()
        self._tail_TC = self._last_C * self._rise_T1[::-1]
        self._faded_samples, self._aligns, self._ended_s = 0, True, captured_s
        return sound_TC

    def _aligned(self, sound_TC: NDArray[np.float32], captured_s: float | None) -> tuple[NDArray[np.float32], int]:
        """Return the first of the new sound, no longer than the time since the old one ended, and how many samples are missing for that."""
        wanted = len(sound_TC)
        if captured_s is not None and self._ended_s is not None:
            wanted = max(0, round(min(captured_s - self._ended_s, LONGEST_GAP_S) * self._rate_hz))
        # What was captured before the old sound ended is left out.
        self._aligns = not (wanted and len(sound_TC))
        if self._aligns:
            return sound_TC[:0], 0
        return sound_TC[-wanted:], max(0, wanted - len(sound_TC))

    def _faded_in(self, sound_TC: NDArray[np.float32]) -> NDArray[np.float32]:
        rise_T1 = self._rise_T1[self._faded_samples : self._faded_samples + len(sound_TC)]
        self._faded_samples += len(rise_T1)
        faded_TC = sound_TC.copy()
        faded_TC[: len(rise_T1)] *= rise_T1
        return faded_TC


def _rise(samples: int) -> NDArray[np.float32]:
    """Return a gentle rise from 0 towards 1 [samples, 1]; backwards it ends with 0."""
    phase_T1 = np.arange(samples, dtype=np.float32)[:, None] / samples
    return (0.5 - 0.5 * np.cos(np.pi * phase_T1)).astype(np.float32)


def _close_beside(source: Source) -> None:
    """Close a source while the show goes on: a dead server may take its time."""
    threading.Thread(target=source.close, name="close input", daemon=True).start()
