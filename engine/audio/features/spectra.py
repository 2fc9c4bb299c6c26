"""Sound cut into short frames, and how loud each band of a frame is.

Frames lie on a fixed grid, counted from the first sample, and each is worked out by itself: the same sound gives the same
bits however it is cut into blocks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# T samples, N frames, B bands

FRAME_S = 0.004
WINDOW_FRAMES = 8
FALL_FRAMES = 0.5
"""How many frames the window takes to fall to nothing at its newest end: short, so that a hit counts at once."""
BANDS_AN_OCTAVE = 3
HIGHEST_HZ = 12_000.0
LOUDEST = 16.0
"""Louder samples are a fault of the source; without a bound their squares overflow."""

Sound = NDArray[np.float32]
Table = NDArray[np.float64]


class Spectra:
    """Frames of about 4 ms; each is looked at together with the seven before it."""

    def __init__(self, rate_hz: int) -> None:
        self.hop_samples = max(1, round(FRAME_S * rate_hz))
        self.frame_s = self.hop_samples / rate_hz
        window_samples = WINDOW_FRAMES * self.hop_samples
        self._window_T = _window(window_samples, round(FALL_FRAMES * self.hop_samples))
        self._place_T = np.arange(window_samples)
        self._scale = 2.0 / (window_samples * float(np.square(self._window_T).sum()))
        edges = _band_edges(window_samples, rate_hz)
        bins_hz = edges * (rate_hz / window_samples)
        self.centre_hz_B = np.sqrt(bins_hz[:-1] * bins_hz[1:])
        # Real and imaginary parts lie side by side.
        self._begin_B, self._end = 2 * edges[:-1], 2 * edges[-1]
        # Silence before the start: the first windows reach back into it.
        self._waiting_T = np.zeros(window_samples - self.hop_samples)

    def feed(self, mono_T: Sound) -> tuple[NDArray[np.float64], Table]:
        """Return of every frame that is now complete its RMS [N] and the power of its bands [N, B].

        Samples that are not finite are silence.
        """
        sound_T = mono_T.astype(np.float64)
        if len(sound_T) and not np.abs(sound_T).max() <= LOUDEST:
            sound_T = np.nan_to_num(sound_T, nan=0.0, posinf=0.0, neginf=0.0).clip(-LOUDEST, LOUDEST)
        waiting_T = np.concatenate([self._waiting_T, sound_T])
        hop_samples = self.hop_samples
        frames = max(0, (len(waiting_T) - len(self._window_T)) // hop_samples + 1)
        self._waiting_T = waiting_T[frames * hop_samples :]
        if not frames:
            return np.zeros(0), np.zeros((0, len(self._begin_B)))
        windows_NT = waiting_T[hop_samples * np.arange(frames)[:, None] + self._place_T]
        power_N = np.add.reduce(np.square(windows_NT[:, -hop_samples:]), axis=1) / hop_samples
        windows_NT *= self._window_T
        parts = np.fft.rfft(windows_NT, axis=1).view(np.float64)[:, : self._end]
        return np.sqrt(power_N), np.add.reduceat(np.square(parts), self._begin_B, axis=1) * self._scale


def _window(samples: int, fall_samples: int) -> NDArray[np.float64]:
    """Rise slowly as half a Hann window, fall quickly as half of another."""
    rise_samples = samples - fall_samples
    rise = np.square(np.sin(0.5 * np.pi * (np.arange(rise_samples) + 0.5) / rise_samples))
    fall = np.square(np.cos(0.5 * np.pi * (np.arange(fall_samples) + 0.5) / max(1, fall_samples)))
    return np.concatenate([rise, fall])


def _band_edges(window_samples: int, rate_hz: int) -> NDArray[np.intp]:
    """Bins at which bands begin, and where the last ends: equal steps of pitch, but no band under one bin."""
    highest = min(window_samples // 2, int(HIGHEST_HZ * window_samples / rate_hz))
    edges, edge = [1], 1.0
    while edges[-1] < highest:
        edge = max(edge * 2 ** (1 / BANDS_AN_OCTAVE), edges[-1] + 1.0)
        edges.append(min(round(edge), highest))
    return np.array(edges)
