"""How fast the beat goes and where it falls, from how much began in each frame of the last seconds.

Autocorrelation of the accents, summed over four beats and weighed by a log-gaussian preference for about 120 a minute, as in
D. Ellis, "Beat Tracking by Dynamic Programming", JNMR 36(1), 2007. The place of the beat is where a comb of that tempo, newer beats
counting more, meets the strongest accents: M. Davies, M. Plumbley, "Context-Dependent Beat Tracking of Musical Audio", IEEE TASLP
15(3), 2007.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# H frames of history, the newest last; C candidate tempos; K beats back; L places within a beat

HISTORY_S = 8.0
TICK_S = 0.2
"""How often tempo and place are measured."""
SLOWEST_BPM, FASTEST_BPM = 55.0, 210.0
CANDIDATES = 480
PREFERRED_BPM, PREFERENCE_OCTAVES = 125.0, 0.7
BEATS_COMPARED = 4
EVENNESS = 0.3
"""How much it counts that odd beats are as alike as even ones."""
TEMPO_MEMORY_S = 3.5
"""How old sound is that counts a third."""
PLACE_MEMORY_S = 4.0
SMOOTHING_S = 0.04
"""How far hits may be beside the beat."""
ACCENT_DELAY_S = 0.010
"""From a hit to the end of the frame with its accent, on average (benchmarks/onsets.py)."""
LEAST_SALIENCE = 0.18
"""Noise has less."""
SETTLING_S = 2.0
"""Of sound, before a tempo is told."""
FILLED = 0.75
"""Of what was heard, how much the longest lag looked at may be."""
SAME_TEMPO = 0.04
"""Tempos no further apart than this share are one that drifts."""
BETTER = 1.05
"""How many times better than the tempo so far another has to be,"""
CONFIRM_TICKS = 6
"""and in how many measurements in a row."""

Accents = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tempo:
    period_s: float
    salience: float
    """How alike the sound is from one beat to the next: 0 not at all, 1 the same."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the beat falls."""

    age_s: float
    """How long ago the newest beat was."""
    gain: float
    """How many times more accent there is than at the asked age; 0 where nothing was heard."""


class AccentHistory:
    """The accents of the last seconds, as of any frame among the newest."""

    def __init__(self, frame_s: float, kept_s: float) -> None:
        self.frame_s = frame_s
        self.frames = round(HISTORY_S / frame_s)
        self._kept = self.frames + round(kept_s / frame_s)
        self._accents = np.zeros(2 * self._kept)
        self._end = self._kept
        self._heard = 0
        width = max(1, round(SMOOTHING_S / frame_s)) | 1
        self._kernel = np.hanning(width + 2)[1:-1]
        self._kernel /= self._kernel.sum()
        self.delay_s = ACCENT_DELAY_S + width // 2 * frame_s

    def append(self, accent: float) -> None:
        if self._end == len(self._accents):
            self._accents[: self._kept] = self._accents[-self._kept :].copy()
            self._end = self._kept
        self._accents[self._end] = accent
        self._end += 1
        self._heard += 1

    def smooth(self, frame: int) -> Accents:
        """Return the history [H] up to and with `frame`, smoothed, so that it lags by `delay_s`."""
        end = self._end - (self._heard - 1 - frame)
        return np.convolve(self._accents[end - self.frames : end], self._kernel)[: self.frames]


class TempoFollower:
    """The tempo as time goes on; another one has to be better for a while."""

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
        """Return the tempo now, None while there is none to be heard."""
        begun_H = np.maximum.accumulate(accents_H > 0.0)
        heard_frames = int(np.count_nonzero(begun_H))
        likeness_H = self._likeness(accents_H, begun_H) if heard_frames >= self._settling_frames else None
        if likeness_H is None:
            self._bpm = 0.0
            return None
        alike_BC = np.interp(self._lags_BC, self._lag_H, likeness_H)
        known_BC = self._lags_BC < FILLED * heard_frames
        comb_C = (alike_BC * known_BC).sum(axis=0) / known_BC.sum(axis=0).clip(1)
        # Where every other beat is unlike, the beat is half as fast.
        third_C = alike_BC[2] * known_BC[2] + alike_BC[0] * ~known_BC[2]
        score_C = (
            (1.0 - EVENNESS) * comb_C + EVENNESS * np.minimum(comb_C, 0.5 * (alike_BC[0] + third_C))
        ) * self._preference_C
        best = int(score_C.argmax())
        chosen = self._choose(score_C, best) if comb_C[best] >= LEAST_SALIENCE else best
        if comb_C[chosen] < LEAST_SALIENCE:
            return None
        self._bpm = self._between(score_C, chosen)
        return Tempo(60.0 / self._bpm, float(comb_C[chosen]))

    def _likeness(self, accents_H: Accents, begun_H: NDArray[np.bool_]) -> Accents | None:
        """Return how alike the sound is some frames apart, 1 the same, newer sound counting more; None of sound without accents."""
        # Silence before the first sound says nothing.
        weight_H = self._weight_H * begun_H
        mean = float((accents_H * weight_H).sum()) / float(weight_H.sum())
        likeness_H = self._correlate((accents_H - mean) * weight_H)
        if likeness_H[0] <= 1e-9:
            return None
        overlap_H = self._correlate(weight_H)
        return likeness_H * (overlap_H[0] / likeness_H[0]) / np.maximum(overlap_H, 1e-3 * overlap_H[0])

    def _choose(self, score_C: Accents, best: int) -> int:
        """Return the candidate to go on with: the best near the tempo so far, until another has been better for a while."""
        if not self._bpm:
            return best
        near_C = np.abs(self._bpm_C / self._bpm - 1.0) < SAME_TEMPO
        kept = int(np.where(near_C, score_C, -np.inf).argmax())
        if near_C[best] or score_C[best] < BETTER * score_C[kept]:
            self._challenged_ticks = 0
            return kept
        bpm = float(self._bpm_C[best])
        is_same = abs(bpm / self._challenger_bpm - 1.0) < SAME_TEMPO if self._challenger_bpm else False
        self._challenged_ticks = self._challenged_ticks + 1 if is_same else 1
        self._challenger_bpm = bpm
        if self._challenged_ticks < CONFIRM_TICKS:
            return kept
        self._challenged_ticks = 0
        return best

    def _between(self, score_C: Accents, index: int) -> float:
        """Return the tempo at the top of the parabola through a candidate and its neighbours."""
        if not 0 < index < CANDIDATES - 1:
            return float(self._bpm_C[index])
        step = math.log(FASTEST_BPM / SLOWEST_BPM) / (CANDIDATES - 1)
        return float(self._bpm_C[index]) * math.exp(step * _summit(*score_C[index - 1 : index + 2].tolist()))

    def _correlate(self, signal_H: Accents) -> Accents:
        spectrum = np.fft.rfft(signal_H, self._size)
        power = np.square(spectrum.real) + np.square(spectrum.imag)
        return np.fft.irfft(power, self._size)[: len(signal_H)]


def beat_place(accents_H: Accents, frame_s: float, period_s: float, delay_s: float, asked_age_s: float) -> Place:
    """Return where beats `period_s` apart fall, and how much better that is than if the newest were `asked_age_s` ago.

    `accents_H` lags by `delay_s`.
    """
    period = period_s / frame_s
    places = math.ceil(period)
    beats = max(1, int((len(accents_H) - 1 - places) / period))
    back_K = np.arange(beats) * period
    weight_K = np.exp(-back_K * frame_s / PLACE_MEMORY_S)
    ago_KL = np.rint(back_K[:, None] + np.arange(places)[None, :]).astype(np.intp)
    score_L = (accents_H[len(accents_H) - 1 - ago_KL] * weight_K[:, None]).sum(axis=0)
    best = int(score_L.argmax())
    around = (float(score_L[best - 1]), float(score_L[best]), float(score_L[(best + 1) % places]))
    age_s = ((best + _summit(*around)) * frame_s + delay_s) % period_s
    asked = int((asked_age_s - delay_s) / frame_s % period) % places
    return Place(age_s, around[1] / max(float(score_L[asked]), 1e-3 * around[1]) if around[1] > 1e-6 else 0.0)


def _summit(before: float, here: float, after: float) -> float:
    """Return where the parabola through three values at -1, 0, 1 is highest, within a half."""
    bend = before - 2.0 * here + after
    return min(0.5, max(-0.5, 0.5 * (before - after) / bend)) if bend < 0.0 else 0.0
