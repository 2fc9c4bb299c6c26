"""Cleans sound on its way into the model and the features, the same live and in training. Takes and films keep it as it came.

Samples that are no finite number, or absurd, become silence: one of them would end a training and spread over a window. An offset
and its drift are no sound, yet they would count as level and open the gate; a high-pass of second order at CORNER_HZ takes them out. FFmpeg
runs it in float64, sample by sample, so blocks change no bit. From 20 Hz up it changes a magnitude by less than 0.001 %. It holds nothing
back; the shape of a wave shifts by its phase: 3 degrees at 20 Hz, 0.6 at 100 Hz, 0.06 at 1 kHz. First order would pass a drift. A higher
corner is quiet sooner after an offset begins (this one is down to -73 dB 2 s after a step of 0.3), but at 1 Hz the frames of a generator
that hears through `mel` differ by more than 1e-3 from those without a filter.

At the start the filter does not know an offset from a wave. As long as all samples have one sign, the one nearest to zero counts as an
offset that has always been there: a constant one is silence from the first sample, and a recording that begins within a wave loses no
more than the rest of that half wave. An offset that begins later is a step, which a loudspeaker plays too: one onset.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from av.audio.frame import AudioFrame
from av.filter import Graph
from numpy.typing import NDArray

from engine.media.channels import mix_down

# T audio samples, C channels

LARGEST_SAMPLE = 16.0
"""24 dB above full scale: recordings in float32 may exceed 1, but what exceeds this is a fault of the source."""
CORNER_HZ = 0.75
SETTLED_S = 2.5
"""Within this time of its beginning an offset is as good as gone."""
_START_S = 1.0
"""After this time the filter alone follows the offset."""
_LEAST_RATE_HZ = 100
"""The header of a damaged file can tell any rate; below this one there is no sound that a filter could serve."""
_BLOCK_SAMPLES = 1 << 12


class SoundCleaner:
    """Cleans one stream of sound and mixes it to mono."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._start = _Start(rate_hz)
        self._high_pass: _HighPass | None = None
        self._received_samples = 0
        self._faulty_samples = 0
        self._told_samples = 0
        self._notices: list[str] = []

    @property
    def faulty_samples(self) -> int:
        """Samples that became silence since the start, of all channels."""
        return self._faulty_samples

    def feed(self, sound_TC: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return as many mono samples [T], cleaned; any number of them may be given at a time."""
        # Before the channels are mixed: a fault of one does not silence the others.
        finite_TC, faulty = silence_faults(sound_TC)
        if faulty:
            self._count(sound_TC, faulty)
        self._received_samples += len(sound_TC)
        mono_T = mix_down(finite_TC)
        if not len(mono_T) or self._rate_hz < _LEAST_RATE_HZ:
            return mono_T
        if self._high_pass is None:
            self._high_pass = _HighPass(self._rate_hz)
        return self._high_pass.feed(self._start.without_offset(mono_T))

    def finish(self) -> None:
        """End the sound: what was told of faults when the first came is completed."""
        if self._faulty_samples > self._told_samples > 0:
            self._tell(f"The sound had {_described(self._faulty_samples)} in all; they played as silence.")

    def notices(self) -> list[str]:
        """Return the notices since the last call: faulty samples are told once, with the time of the first."""
        notices, self._notices = self._notices, []
        return notices

    def _count(self, sound_TC: NDArray[np.float32], faulty: int) -> None:
        self._faulty_samples += faulty
        if not self._told_samples:
            first_s = (self._received_samples + int(np.argmin(_is_sound(sound_TC).all(axis=1)))) / self._rate_hz
            plays, first = ("it plays", "") if faulty == 1 else ("they play", "the first ")
            self._tell(f"The sound has {_described(faulty)}, {first}at {first_s:.3f} s; {plays} as silence.")

    def _tell(self, notice: str) -> None:
        self._told_samples = self._faulty_samples
        self._notices.append(notice)


def silence_faults(sound: NDArray[np.float32]) -> tuple[NDArray[np.float32], int]:
    """Return sound of any shape with faulty samples as silence, and their number; the same array where there are none."""
    # NaN is not less: one comparison finds all faults.
    if not sound.size or np.abs(sound).max() <= LARGEST_SAMPLE:
        return sound, 0
    is_sound = _is_sound(sound)
    return np.where(is_sound, sound, np.float32(0.0)), int(is_sound.size - np.count_nonzero(is_sound))


def cleaned(mono_T: NDArray[np.float32], rate_hz: int) -> tuple[NDArray[np.float32], list[str]]:
    """Return a whole sound [T] cleaned, and its notices."""
    cleaner = SoundCleaner(rate_hz)
    cleaned_T = np.empty(len(mono_T), np.float32)
    for begin in range(0, len(mono_T), _BLOCK_SAMPLES):
        cleaned_T[begin : begin + _BLOCK_SAMPLES] = cleaner.feed(mono_T[begin : begin + _BLOCK_SAMPLES, None])
    cleaner.finish()
    return cleaned_T, cleaner.notices()


def _is_sound(sound: NDArray[np.float32]) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):
        return np.abs(sound) <= LARGEST_SAMPLE


def _described(samples: int) -> str:
    what = "is no number or is" if samples == 1 else "are no numbers or are"
    return f"{samples} {'sample' if samples == 1 else 'samples'} that {what} beyond ±{LARGEST_SAMPLE:.0f}"


class _Start:
    """Takes the offset out that a sound begins with."""

    def __init__(self, rate_hz: int) -> None:
        self._open_samples = round(_START_S * rate_hz)
        self._low, self._high = np.inf, -np.inf
        self._offset = 0.0

    def without_offset(self, mono_T: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the next samples without the offset: of the range of all samples so far, the value nearest to zero."""
        sound_T = mono_T.astype(np.float64)
        opening_T = sound_T[: self._open_samples]
        if len(opening_T):
            low_T = np.minimum.accumulate(np.minimum(opening_T, self._low))
            high_T = np.maximum.accumulate(np.maximum(opening_T, self._high))
            self._low, self._high = float(low_T[-1]), float(high_T[-1])
            self._open_samples = 0 if self._low <= 0.0 <= self._high else self._open_samples - len(opening_T)
            offset_T = np.clip(0.0, low_T, high_T)
            self._offset = float(offset_T[-1])
            opening_T -= offset_T
        sound_T[len(opening_T) :] -= self._offset
        return sound_T


class _HighPass:
    """FFmpeg's highpass filter, from array to array."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._fed_samples = 0
        self._graph = Graph()
        # More threads serve more channels; there is one.
        self._graph.threads = 1
        self._source = self._graph.add_abuffer(
            sample_rate=rate_hz, format="dblp", layout="mono", time_base=Fraction(1, rate_hz)
        )
        # Of FFmpeg's forms "zdf" passes the least of an offset, and does not depend on the block size.
        high_pass = self._graph.add("highpass", f"frequency={CORNER_HZ}:poles=2:precision=f64:transform=zdf")
        self._sink = self._graph.add("abuffersink")
        self._source.link_to(high_pass)
        high_pass.link_to(self._sink)
        self._graph.configure()

    def feed(self, mono_T: NDArray[np.float64]) -> NDArray[np.float32]:
        frame = AudioFrame(format="dblp", layout="mono", samples=len(mono_T))
        frame.planes[0].update(mono_T.tobytes())
        frame.sample_rate = self._rate_hz
        frame.time_base = Fraction(1, self._rate_hz)
        frame.pts = self._fed_samples
        self._fed_samples += len(mono_T)
        self._source.push(frame)
        passed = self._sink.pull()
        assert isinstance(passed, AudioFrame)
        return passed.to_ndarray()[0].astype(np.float32)
