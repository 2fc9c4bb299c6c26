"""Brings sound to another rate, block by block, by FFmpeg's libswresample; what its delay means live stands in engine/audio/resample.py."""

# PyAV's types are incomplete.
# pyright: basic

from __future__ import annotations

from fractions import Fraction

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

# T samples, C channels


class RateConverter:
    """Converts sound of constant rate; what it holds back meanwhile comes with `finish`."""

    def __init__(self, from_hz: int, to_hz: int, channels: int) -> None:
        self._from_hz = from_hz
        self._channels = channels
        # So many channels without places: each is converted by itself.
        self._layout = f"{channels}C"
        self._resampler = AudioResampler(format="flt", layout=self._layout, rate=to_hz)
        self._fed_samples = 0

    def feed(self, sound_TC: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the converted samples that are ready [T', C]."""
        if not len(sound_TC):
            return sound_TC
        frame = AudioFrame(format="flt", layout=self._layout, samples=len(sound_TC))
        frame.planes[0].update(np.ascontiguousarray(sound_TC, np.float32).tobytes())
        frame.sample_rate, frame.time_base = self._from_hz, Fraction(1, self._from_hz)
        frame.pts = self._fed_samples
        self._fed_samples += len(sound_TC)
        return self._joined(self._resampler.resample(frame))

    def finish(self) -> NDArray[np.float32]:
        """Return the last samples. Nothing may be fed afterwards."""
        # A resampler that was never fed does not know its input rate.
        return self._joined(self._resampler.resample(None) if self._fed_samples else [])

    def _joined(self, frames: list[AudioFrame]) -> NDArray[np.float32]:
        parts = [frame.to_ndarray().reshape(-1, self._channels) for frame in frames if frame.samples]
        if len(parts) == 1:
            return np.asarray(parts[0], np.float32)
        return np.concatenate([np.zeros((0, self._channels), np.float32), *parts], dtype=np.float32)


def stretched(sound_TC: NDArray[np.float32], samples: int, before_C: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the sound [T, C] in `samples` samples; `before_C` is the sample before it. For changes of about 1 %."""
    place_T = (np.arange(samples) + 1) * (len(sound_TC) / samples)
    known_TC = np.concatenate([before_C[None], sound_TC])
    floor_T = np.minimum(place_T.astype(np.int64), len(sound_TC) - 1)
    share_T = (place_T - floor_T)[:, None]
    # Cubic (Catmull-Rom): straight lines would take the treble away.
    a, b, c, d = (known_TC[np.clip(floor_T + offset, 0, len(sound_TC))] for offset in (-1, 0, 1, 2))
    curve = b + 0.5 * share_T * (c - a + share_T * (2 * a - 5 * b + 4 * c - d + share_T * (3 * (b - c) + d - a)))
    return curve.astype(np.float32)
