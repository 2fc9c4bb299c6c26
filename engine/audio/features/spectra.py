"""RMS and band powers of short frames.

Frames lie on a fixed grid from the first sample, and each is computed by itself: bit-exact for every block size.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# T samples, N frames, B bands

FRAME_S = 0.004
WINDOW_FRAMES = 8
FALL_FRAMES = 0.5
"""Frames in which the window falls to 0 at its newest end: short, so that an onset counts at once."""
BANDS_AN_OCTAVE = 3
HIGHEST_HZ = 12_000.0
LARGEST_SAMPLE = 16.0
"""Larger samples are a fault of the source; without a bound their squares overflow."""

Sound = NDArray[np.float32]
Table = NDArray[np.float64]


class Spectra:
    """Analyses frames of about 4 ms, each in a window with the seven before it."""

    def __init__(self, rate_hz: int) -> None:
        self.hop_samples = max(1, round(FRAME_S * rate_hz))
        self.frame_s = self.hop_samples / rate_hz
        window_samples = WINDOW_FRAMES * self.hop_samples
        self._window_T = _window(window_samples, round(FALL_FRAMES * self.hop_samples))
        self._offset_T = np.arange(window_samples)
        self._scale = 2.0 / (window_samples * float(np.square(self._window_T).sum()))
        edges = _band_edges(window_samples, rate_hz)
        bins_hz = edges * (rate_hz / window_samples)
        self.centre_hz_B = np.sqrt(bins_hz[:-1] * bins_hz[1:])
        # Real and imaginary parts alternate.
        self._start_B, self._end = 2 * edges[:-1], 2 * edges[-1]
        # Silence before the start: the first windows reach back into it.
        self._pending_T = np.zeros(window_samples - self.hop_samples)

    def feed(self, mono_T: Sound) -> tuple[NDArray[np.float64], Table]:
        """Return the RMS [N] and the band powers [N, B] of every frame that is now complete.

        Samples that are not finite become silence.
        """
        sound_T = mono_T.astype(np.float64)
        if len(sound_T) and not np.abs(sound_T).max() <= LARGEST_SAMPLE:
            sound_T = np.nan_to_num(sound_T, nan=0.0, posinf=0.0, neginf=0.0).clip(-LARGEST_SAMPLE, LARGEST_SAMPLE)
        pending_T = np.concatenate([self._pending_T, sound_T])
        hop_samples = self.hop_samples
        frames = max(0, (len(pending_T) - len(self._window_T)) // hop_samples + 1)
        self._pending_T = pending_T[frames * hop_samples :]
        if not frames:
            return np.zeros(0), np.zeros((0, len(self._start_B)))
        windows_NT = pending_T[hop_samples * np.arange(frames)[:, None] + self._offset_T]
        power_N = np.add.reduce(np.square(windows_NT[:, -hop_samples:]), axis=1) / hop_samples
        windows_NT *= self._window_T
        parts = np.fft.rfft(windows_NT, axis=1).view(np.float64)[:, : self._end]
        return np.sqrt(power_N), np.add.reduceat(np.square(parts), self._start_B, axis=1) * self._scale


def _window(samples: int, fall_samples: int) -> NDArray[np.float64]:
    """Return a slow rising and a fast falling half of a Hann window."""
    rise_samples = samples - fall_samples
    rise = np.square(np.sin(0.5 * np.pi * (np.arange(rise_samples) + 0.5) / rise_samples))
    fall = np.square(np.cos(0.5 * np.pi * (np.arange(fall_samples) + 0.5) / max(1, fall_samples)))
    return np.concatenate([rise, fall])


def _band_edges(window_samples: int, rate_hz: int) -> NDArray[np.intp]:
    """Return the first bin of each band and the end of the last: equal steps of pitch, at least one bin."""
    highest = min(window_samples // 2, int(HIGHEST_HZ * window_samples / rate_hz))
    edges, edge = [1], 1.0
    while edges[-1] < highest:
        edge = max(edge * 2 ** (1 / BANDS_AN_OCTAVE), edges[-1] + 1.0)
        edges.append(min(round(edge), highest))
    return np.array(edges)
