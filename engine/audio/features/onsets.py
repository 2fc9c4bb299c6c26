"""Online onset detection within a few milliseconds.

Spectral flux of logarithmic bands with an adaptive threshold, without look-ahead: S. Böck, F. Krebs, M. Schedl,
"Evaluating the Online Capabilities of Onset Detection Methods", ISMIR 2012. The flux is taken against the loudest of several
earlier frames and of neighbouring bands, so that vibrato and the ripple of deep tones are no onsets: S. Böck, G. Widmer,
"Maximum Filter Vibrato Suppression for Onset Detection", DAFx 2013.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from engine.audio.features.spectra import Table

# N frames, B bands

COMPRESSION = 100.0
"""Scale of the logarithm: the peak of the last seconds becomes log(1 + COMPRESSION)."""
LAGS = (2, 3, 4, 5, 6)
"""Distances of the earlier frames a frame is compared with; together longer than one period of the deepest tones."""
QUIETEST_RMS = 3e-4
"""Least peak (-70 dB), so that the noise of a silent line stays small."""
PEAK_HALF_LIFE_S = 4.0
REFRACTORY_S = 0.048
"""Shortest time between two onsets."""
MEAN_S = 0.12
LEAST_FLUX = 0.02
TIMES_THE_MEAN = 2.0
"""Threshold: LEAST_FLUX plus this many times the mean flux of the last MEAN_S."""
LEAST_ACCENT = 0.025
"""Steady tones ripple less."""
RISE_S = 0.016
"""Time in which the strength of an onset may still grow after its detection."""
STRONGEST_HALF_LIFE_S = 6.0
LEAST_STRONGEST = 0.3
"""Least accent of the strongest onset of the last seconds."""


@dataclass(frozen=True, slots=True)
class Onsets:
    """The onset state of one frame."""

    is_new: bool
    strength: float
    """Strength of the newest onset relative to the strongest of the last seconds, 0 to 1; grows for its first milliseconds."""
    accent: float
    """Increase of amplitude in this frame: the input of beat tracking."""


class OnsetDetector:
    """Detects onsets in the bands of successive frames.

    Why not a library: aubio is GPL, detects onsets later and misses more (benchmarks/onsets.py); BTrack is GPL and for 44.1 kHz,
    essentia is AGPL; librosa and madmom's networks do not work online.
    """

    def __init__(self, frame_s: float, bands: int) -> None:
        self._peak = QUIETEST_RMS
        self._peak_fall = 0.5 ** (frame_s / PEAK_HALF_LIFE_S)
        self._earlier_NB = np.zeros((max(LAGS), bands + 2))
        self._flux_scale = 1.0 / (bands * math.log1p(COMPRESSION))
        mean_frames = max(1, round(MEAN_S / frame_s))
        self._fluxes = deque([0.0] * mean_frames, mean_frames)
        self._refractory_frames = round(REFRACTORY_S / frame_s)
        self._rise_frames = round(RISE_S / frame_s)
        self._since = self._refractory_frames
        self._is_armed = True
        self._strength = 0.0
        self._strongest = LEAST_STRONGEST
        self._strongest_fall = 0.5 ** (frame_s / STRONGEST_HALF_LIFE_S)

    def feed(self, power_NB: Table) -> list[Onsets]:
        """Return the onset state of each frame from the power of its bands."""
        if not len(power_NB):
            return []
        relative_NB, before_NB = self._relative_to_earlier(np.sqrt(power_NB))
        wide_NB = np.maximum(before_NB[:, 1:-1], np.maximum(before_NB[:, :-2], before_NB[:, 2:]))
        # log a - log b, increases only
        ratio_NB = (1.0 + COMPRESSION * np.maximum(relative_NB, wide_NB)) / (1.0 + COMPRESSION * wide_NB)
        flux_N = np.add.reduce(np.log(ratio_NB), axis=1) * self._flux_scale
        # Beats have large increases, not small ones in many bands: the accent is not logarithmic.
        risen_N = np.add.reduce(np.maximum(relative_NB - before_NB[:, 1:-1], 0.0), axis=1)
        accent_N = np.sqrt(np.maximum(risen_N - LEAST_ACCENT, 0.0))
        return [self._pick(flux, accent) for flux, accent in zip(flux_N.tolist(), accent_N.tolist(), strict=True)]

    def _relative_to_earlier(self, amplitude_NB: Table) -> tuple[Table, Table]:
        """Return the bands relative to the peak of the last seconds, and, with a zero on either side, their maxima over LAGS."""
        peaks: list[float] = []
        for value in np.maximum.reduce(amplitude_NB, axis=1).tolist():
            self._peak = max(value, self._peak * self._peak_fall, QUIETEST_RMS)
            peaks.append(self._peak)
        frames, earlier = len(amplitude_NB), max(LAGS)
        relative_NB = amplitude_NB / np.array(peaks)[:, None]
        known_NB = np.zeros((earlier + frames, amplitude_NB.shape[1] + 2))
        known_NB[:earlier] = self._earlier_NB
        known_NB[earlier:, 1:-1] = relative_NB
        self._earlier_NB = known_NB[frames:]
        before_NB = known_NB[earlier - LAGS[0] :][:frames]
        for lag in LAGS[1:]:
            before_NB = np.maximum(before_NB, known_NB[earlier - lag :][:frames])
        return relative_NB, before_NB

    def _pick(self, flux: float, accent: float) -> Onsets:
        threshold = LEAST_FLUX + TIMES_THE_MEAN * sum(self._fluxes) / len(self._fluxes)
        self._fluxes.append(flux)
        self._since += 1
        self._strongest = max(self._strongest * self._strongest_fall, LEAST_STRONGEST, accent)
        strength = (accent / self._strongest) ** 2
        is_new = self._is_armed and flux >= threshold and self._since >= self._refractory_frames
        if is_new:
            self._since, self._is_armed, self._strength = 0, False, strength
        elif self._since <= self._rise_frames:
            self._strength = max(self._strength, strength)
        elif flux < threshold:
            self._is_armed = True
        return Onsets(is_new, self._strength, accent)
