"""Where something is struck, plucked or begins: onsets, told within a few milliseconds.

Spectral flux of logarithmic bands with an adaptive threshold, decided without looking ahead: S. Böck, F. Krebs, M. Schedl,
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
"""How much louder than silence the loudest of the last seconds is, to the logarithm."""
LAGS = (2, 3, 4, 5, 6)
"""Earlier frames a frame is compared with; together they are longer than one swing of the deepest tones."""
QUIETEST_RMS = 3e-4
"""What the loudest of the last seconds is at least (-70 dB), so that the noise of a silent line stays small."""
LOUDEST_HALF_LIFE_S = 4.0
REFRACTORY_S = 0.048
"""From one onset to the next, at least."""
MEAN_S = 0.12
LEAST_FLUX = 0.02
TIMES_THE_MEAN = 2.0
"""An onset has at least so many times the mean flux of the last moments, and the least flux more."""
LEAST_ACCENT = 0.025
"""Steady tones ripple less."""
RISE_S = 0.016
"""How long an onset may still grow after it was told."""
STRONGEST_HALF_LIFE_S = 6.0
LEAST_STRONGEST = 0.3
"""Accent of the strongest onset of the last seconds, at least."""


@dataclass(frozen=True, slots=True)
class Onsets:
    """What one frame says of onsets."""

    is_new: bool
    strength: float
    """Of the newest onset, 0 to 1 as strong as the strongest of the last seconds; grows for its first milliseconds."""
    accent: float
    """How much began in this frame: what beats are found in."""


class OnsetDetector:
    """Finds onsets in the bands of one frame after the other.

    Why not a library: aubio is GPL, and tells onsets later and misses more (benchmarks/onsets.py); BTrack is GPL and for 44.1 kHz,
    essentia AGPL; librosa and madmom's networks are not for sound that is still coming in.
    """

    def __init__(self, frame_s: float, bands: int) -> None:
        self._loudest = QUIETEST_RMS
        self._loudest_fall = 0.5 ** (frame_s / LOUDEST_HALF_LIFE_S)
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
        """Return what each frame says; `power_NB` is the power of its bands."""
        if not len(power_NB):
            return []
        loud_NB, before_NB = self._beside_earlier(np.sqrt(power_NB))
        wide_NB = np.maximum(before_NB[:, 1:-1], np.maximum(before_NB[:, :-2], before_NB[:, 2:]))
        # log a - log b, of what rose alone
        ratio_NB = (1.0 + COMPRESSION * np.maximum(loud_NB, wide_NB)) / (1.0 + COMPRESSION * wide_NB)
        flux_N = np.add.reduce(np.log(ratio_NB), axis=1) * self._flux_scale
        # Beats lie where much begins, not where many bands begin a little: their accent is not logarithmic.
        risen_N = np.add.reduce(np.maximum(loud_NB - before_NB[:, 1:-1], 0.0), axis=1)
        accent_N = np.sqrt(np.maximum(risen_N - LEAST_ACCENT, 0.0))
        return [self._pick(flux, accent) for flux, accent in zip(flux_N.tolist(), accent_N.tolist(), strict=True)]

    def _beside_earlier(self, amplitude_NB: Table) -> tuple[Table, Table]:
        """Return the bands beside the loudest of the last seconds, and with a zero on either side the largest they were before."""
        loudest: list[float] = []
        for value in np.maximum.reduce(amplitude_NB, axis=1).tolist():
            self._loudest = max(value, self._loudest * self._loudest_fall, QUIETEST_RMS)
            loudest.append(self._loudest)
        frames, earlier = len(amplitude_NB), max(LAGS)
        loud_NB = amplitude_NB / np.array(loudest)[:, None]
        known_NB = np.zeros((earlier + frames, amplitude_NB.shape[1] + 2))
        known_NB[:earlier] = self._earlier_NB
        known_NB[earlier:, 1:-1] = loud_NB
        self._earlier_NB = known_NB[frames:]
        before_NB = known_NB[earlier - LAGS[0] :][:frames]
        for lag in LAGS[1:]:
            before_NB = np.maximum(before_NB, known_NB[earlier - lag :][:frames])
        return loud_NB, before_NB

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
