"""Tempo and beat position from the accents of the last seconds.

Autocorrelation of the accents, summed over four beats weighted by a log-gaussian preference for about 120 a minute, as in
D. Ellis, "Beat Tracking by Dynamic Programming", JNMR 36(1), 2007. The beat position is where a comb of
that tempo, weighted towards newer beats, meets the strongest accents: M. Davies, M. Plumbley, "Context-Dependent Beat Tracking of Musical Audio", IEEE TASLP
15(3), 2007.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# H frames of history, the newest last; C candidate tempos; K beats back; L positions within a beat

HISTORY_S = 8.0
TICK_S = 0.2
"""Interval of the measurements of tempo and beat position."""
SLOWEST_BPM, FASTEST_BPM = 55.0, 210.0
CANDIDATES = 480
PREFERRED_BPM, PREFERENCE_OCTAVES = 125.0, 0.7
BEATS_COMPARED = 4
EVENNESS = 0.3
"""Weight of the similarity of odd beats to even ones."""
TEMPO_MEMORY_S = 3.5
"""Age at which sound has the weight 1/e."""
POSITION_MEMORY_S = 4.0
SMOOTHING_S = 0.04
"""Deviation from the beat that onsets may have."""
ACCENT_DELAY_S = 0.010
"""Mean time from an onset to the end of the frame with its accent (benchmarks/onsets.py)."""
LEAST_SALIENCE = 0.18
"""Noise has less."""
SETTLING_S = 2.0
"""Sound needed before the first tempo."""
FILLED = 0.75
"""Longest lag as a share of the sound so far."""
SAME_TEMPO = 0.04
"""Tempos within this ratio are one tempo that drifts."""
BETTER = 1.05
"""Another tempo must score this many times better than the current one,"""
CONFIRM_TICKS = 6
"""in so many measurements in a row."""

Accents = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tempo:
    """A measured tempo."""

    period_s: float
    salience: float
    """Similarity of the sound from beat to beat: 0 none, 1 equal."""


@dataclass(frozen=True, slots=True)
class BeatPosition:
    """The measured position of the beat."""

    age_s: float
    """Time since the newest beat."""
    gain: float
    """Accent at this position relative to the assumed one; 0 without accents."""


class AccentHistory:
    """The accents of the last seconds, readable as of any of the newest frames."""

    def __init__(self, frame_s: float, retained_s: float) -> None:
        self.frame_s = frame_s
        self.frames = round(HISTORY_S / frame_s)
        self._retained = self.frames + round(retained_s / frame_s)
        self._accents = np.zeros(2 * self._retained)
        self._end = self._retained
        self._frames_received = 0
        width = max(1, round(SMOOTHING_S / frame_s)) | 1
        self._kernel = np.hanning(width + 2)[1:-1]
        self._kernel /= self._kernel.sum()
        self.delay_s = ACCENT_DELAY_S + width // 2 * frame_s

    def append(self, accent: float) -> None:
        if self._end == len(self._accents):
            self._accents[: self._retained] = self._accents[-self._retained :].copy()
            self._end = self._retained
        self._accents[self._end] = accent
        self._end += 1
        self._frames_received += 1

    def smooth(self, frame: int) -> Accents:
        """Return the history [H] up to and including `frame`, smoothed with a lag of `delay_s`."""
        end = self._end - (self._frames_received - 1 - frame)
        return np.convolve(self._accents[end - self.frames : end], self._kernel)[: self.frames]


class TempoTracker:
    """Tracks the tempo; a change has to score better for a while."""

    def __init__(self, frame_s: float) -> None:
        frames = round(HISTORY_S / frame_s)
        self._frame_s = frame_s
        self._bpm_C = np.geomspace(SLOWEST_BPM, FASTEST_BPM, CANDIDATES)
        self._lags_BC = np.outer(np.arange(1, BEATS_COMPARED + 1), 60.0 / self._bpm_C / frame_s)
        octaves_C = np.log2(self._bpm_C / PREFERRED_BPM)
        self._preference_C = np.exp(-0.5 * np.square(octaves_C / PREFERENCE_OCTAVES))
        self._weight_H = np.exp(-(frames - 1 - np.arange(frames)) * frame_s / TEMPO_MEMORY_S)
        self._size = 2 ** math.ceil(math.log2(2 * frames))
        self._lag_H = np.arange(frames, dtype=np.float64)
        self._settling_frames = round(SETTLING_S / frame_s)
        self._bpm = 0.0
        self._challenger_bpm, self._challenged_ticks = 0.0, 0

    def feed(self, accents_H: Accents) -> Tempo | None:
        """Return the current tempo, None while there is none."""
        started_H = np.maximum.accumulate(accents_H > 0.0)
        sound_frames = int(np.count_nonzero(started_H))
        similarity_H = self._similarity(accents_H, started_H) if sound_frames >= self._settling_frames else None
        if similarity_H is None:
            self._bpm = 0.0
            return None
        similarity_BC = np.interp(self._lags_BC, self._lag_H, similarity_H)
        known_BC = self._lags_BC < FILLED * sound_frames
        comb_C = (similarity_BC * known_BC).sum(axis=0) / known_BC.sum(axis=0).clip(1)
        # Where every other beat differs, the tempo is half as fast.
        third_C = similarity_BC[2] * known_BC[2] + similarity_BC[0] * ~known_BC[2]
        score_C = (
            (1.0 - EVENNESS) * comb_C + EVENNESS * np.minimum(comb_C, 0.5 * (similarity_BC[0] + third_C))
        ) * self._preference_C
        best = int(score_C.argmax())
        chosen = self._choose(score_C, best) if comb_C[best] >= LEAST_SALIENCE else best
        if comb_C[chosen] < LEAST_SALIENCE:
            return None
        self._bpm = self._interpolate(score_C, chosen)
        return Tempo(60.0 / self._bpm, float(comb_C[chosen]))

    def _similarity(self, accents_H: Accents, started_H: NDArray[np.bool_]) -> Accents | None:
        """Return the weighted autocorrelation by lag, 1 at lag 0; None for sound without accents."""
        # Silence before the first sound does not count.
        weight_H = self._weight_H * started_H
        mean = float((accents_H * weight_H).sum()) / float(weight_H.sum())
        similarity_H = self._correlate((accents_H - mean) * weight_H)
        if similarity_H[0] <= 1e-9:
            return None
        overlap_H = self._correlate(weight_H)
        return similarity_H * (overlap_H[0] / similarity_H[0]) / np.maximum(overlap_H, 1e-3 * overlap_H[0])

    def _choose(self, score_C: Accents, best: int) -> int:
        """Return the best candidate near the current tempo, or another one once it has scored better for a while."""
        if not self._bpm:
            return best
        near_C = np.abs(self._bpm_C / self._bpm - 1.0) < SAME_TEMPO
        current = int(np.where(near_C, score_C, -np.inf).argmax())
        if near_C[best] or score_C[best] < BETTER * score_C[current]:
            self._challenged_ticks = 0
            return current
        bpm = float(self._bpm_C[best])
        is_same = abs(bpm / self._challenger_bpm - 1.0) < SAME_TEMPO if self._challenger_bpm else False
        self._challenged_ticks = self._challenged_ticks + 1 if is_same else 1
        self._challenger_bpm = bpm
        if self._challenged_ticks < CONFIRM_TICKS:
            return current
        self._challenged_ticks = 0
        return best

    def _interpolate(self, score_C: Accents, index: int) -> float:
        """Return the tempo at the peak of the parabola through a candidate and its neighbours."""
        if not 0 < index < CANDIDATES - 1:
            return float(self._bpm_C[index])
        step = math.log(FASTEST_BPM / SLOWEST_BPM) / (CANDIDATES - 1)
        return float(self._bpm_C[index]) * math.exp(step * _parabola_peak(*score_C[index - 1 : index + 2].tolist()))

    def _correlate(self, signal_H: Accents) -> Accents:
        spectrum = np.fft.rfft(signal_H, self._size)
        power = np.square(spectrum.real) + np.square(spectrum.imag)
        return np.fft.irfft(power, self._size)[: len(signal_H)]


def find_beat_position(
    accents_H: Accents, frame_s: float, period_s: float, delay_s: float, assumed_age_s: float
) -> BeatPosition:
    """Return the position of beats `period_s` apart, and its gain over a newest beat `assumed_age_s` ago.

    `accents_H` lags by `delay_s`.
    """
    period = period_s / frame_s
    positions = math.ceil(period)
    beats = max(1, int((len(accents_H) - 1 - positions) / period))
    back_K = np.arange(beats) * period
    weight_K = np.exp(-back_K * frame_s / POSITION_MEMORY_S)
    ago_KL = np.rint(back_K[:, None] + np.arange(positions)[None, :]).astype(np.intp)
    score_L = (accents_H[len(accents_H) - 1 - ago_KL] * weight_K[:, None]).sum(axis=0)
    best = int(score_L.argmax())
    around = (float(score_L[best - 1]), float(score_L[best]), float(score_L[(best + 1) % positions]))
    age_s = ((best + _parabola_peak(*around)) * frame_s + delay_s) % period_s
    assumed = int((assumed_age_s - delay_s) / frame_s % period) % positions
    return BeatPosition(age_s, around[1] / max(float(score_L[assumed]), 1e-3 * around[1]) if around[1] > 1e-6 else 0.0)


def _parabola_peak(before: float, here: float, after: float) -> float:
    """Return the peak of the parabola through three values at -1, 0, 1, limited to ±0.5."""
    curvature = before - 2.0 * here + after
    return min(0.5, max(-0.5, 0.5 * (before - after) / curvature)) if curvature < 0.0 else 0.0
