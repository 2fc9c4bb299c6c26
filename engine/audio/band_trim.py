"""Input trim: gains for the low, the mid and the high sound, by one filter of minimum phase that adds no delay.

The bands are those of the audio features, divided by Butterworth crossovers of 12 dB an octave at f1 and f2. Their powers add up to 1:

    low = f1⁴ / (f1⁴ + f⁴)      high = f⁴ / (f2⁴ + f⁴)      mid = 1 - low - high

and the filter has the power response  g_low² low + g_mid² mid + g_high² high, so equal gains are flat. Its poles are those of the
crossovers and never move; the gains move the zeros, all in the left half plane. A moving gain is therefore a crossfade between
outputs of the same two resonators: it cannot ring, click or become unstable.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.audio.features.bands import HIGH_HZ, MID_HZ

# T audio samples, P pole pairs

FASTEST_DB_A_SECOND = 60.0
"""A gain moves no faster, or turning it up would be an onset."""
HIGHEST_SHARE = 0.45
"""Highest crossover as a share of the sample rate."""
_CHUNK_SAMPLES = 256
_LARGEST_EXPONENT = 150.0

Sound = NDArray[np.float32]


class BandGains(NamedTuple):
    """The gain of each band in decibels."""

    low_db: float = 0.0
    mid_db: float = 0.0
    high_db: float = 0.0


NEUTRAL = BandGains()


@dataclass(frozen=True, slots=True)
class _Weights:
    """The output is `direct` times the input plus the real part of `of_poles` times the outputs of the two pole pairs."""

    direct: float
    of_poles_P: NDArray[np.complex128]


class BandTrim:
    """Trims a stream of mono sound, hop by hop. The result does not depend on the sizes of the blocks, to the bit."""

    def __init__(self, rate_hz: int, hop_samples: int) -> None:
        self._hop_samples = hop_samples
        self._step_db = FASTEST_DB_A_SECOND * hop_samples / rate_hz
        self._crossovers = _Crossovers(rate_hz)
        poles_P1 = self._crossovers.poles_P[:, None]
        # s[n] = p s[n-1] + x[n] is p^n times the running sum of x[n] p^-n, which has to stay within range.
        exponent = -math.log10(float(np.abs(poles_P1).min()))
        self._chunk_samples = max(1, min(_CHUNK_SAMPLES, int(_LARGEST_EXPONENT / exponent)))
        powers = np.arange(1, self._chunk_samples + 1)
        self._rising_PT, self._falling_PT = poles_P1**-powers, poles_P1**powers
        self._gains: BandGains | None = None
        self._before = self._weights = self._crossovers.weights(NEUTRAL)
        self._is_bypass = self._is_steady = True
        self._sums_P = np.zeros(len(poles_P1), np.complex128)
        self._in_hop = self._in_chunk = 0

    def begin_hop(self, target: BandGains) -> None:
        """Begin a hop that goes towards the gains `target`; those of the first hop hold from its first sample."""
        before = target if self._gains is None else self._gains
        gains = BandGains(*(_approach(a, b, self._step_db) for a, b in zip(before, target, strict=True)))
        self._is_steady, self._is_bypass = gains == before, gains == before == NEUTRAL
        if gains != self._gains:
            self._before = self._weights if self._gains is not None else self._crossovers.weights(gains)
            self._weights = self._crossovers.weights(gains)
        self._gains, self._in_hop = gains, 0
        if self._is_bypass:
            self._sums_P, self._in_chunk = np.zeros_like(self._sums_P), 0

    def feed(self, mono_T: Sound) -> Sound:
        """Return the trimmed samples [T]; the same array while all gains are 0 dB. No block goes beyond the hop."""
        if self._is_bypass:
            self._in_hop += len(mono_T)
            return mono_T
        trimmed_T, begin = np.empty_like(mono_T), 0
        while begin < len(mono_T):
            end = min(begin + self._chunk_samples - self._in_chunk, len(mono_T))
            trimmed_T[begin:end] = self._feed_part(mono_T[begin:end].astype(np.float64))
            begin = end
        return trimmed_T

    def _feed_part(self, mono_T: NDArray[np.float64]) -> NDArray[np.float64]:
        begin, end = self._in_chunk, self._in_chunk + len(mono_T)
        sums_PT = np.empty((len(self._sums_P), len(mono_T) + 1), np.complex128)
        sums_PT[:, 0] = self._sums_P
        np.multiply(mono_T, self._rising_PT[:, begin:end], out=sums_PT[:, 1:])
        # One after the other, so that a sum does not depend on where a block ended.
        np.add.accumulate(sums_PT, axis=1, out=sums_PT)
        resonators_PT = sums_PT[:, 1:] * self._falling_PT[:, begin:end]
        is_whole = end == self._chunk_samples
        self._sums_P = resonators_PT[:, -1].copy() if is_whole else sums_PT[:, -1].copy()
        self._in_chunk = 0 if is_whole else end
        direct, of_poles = self._ramp(len(mono_T))
        resonators_PT *= of_poles
        return direct * mono_T + resonators_PT[0].real + resonators_PT[1].real

    def _ramp(self, samples: int) -> tuple[NDArray[np.float64] | float, NDArray[np.complex128]]:
        """Return the weights of the next samples: in a hop in which gains move, linear from those before."""
        begin, self._in_hop = self._in_hop, self._in_hop + samples
        after, before = self._weights, self._before
        if self._is_steady:
            return after.direct, after.of_poles_P[:, None]
        share_T = np.arange(begin + 1, begin + samples + 1) / self._hop_samples
        direct_T = before.direct + (after.direct - before.direct) * share_T
        return direct_T, before.of_poles_P[:, None] + (after.of_poles_P - before.of_poles_P)[:, None] * share_T


class _Crossovers:
    """The filter's poles and zeros at one sample rate, by the bilinear transform s = (z - 1) / (z + 1)."""

    def __init__(self, rate_hz: int) -> None:
        self._f1, self._f2 = (math.tan(math.pi * min(f / rate_hz, HIGHEST_SHARE)) for f in (MID_HZ, HIGH_HZ))
        poles = [f * np.exp(0.75j * math.pi) for f in (self._f1, self._f2)]
        self.poles_P: NDArray[np.complex128] = np.array([(1.0 + pole) / (1.0 - pole) for pole in poles])
        self._denominator = _polynomial([*poles, *np.conj(poles)])

    def weights(self, gains: BandGains) -> _Weights:
        """Return the partial fractions of the filter with these gains."""
        if gains == NEUTRAL:
            return _Weights(1.0, np.zeros(len(self.poles_P), np.complex128))
        low, mid, high = (10.0 ** (gain_db / 10.0) for gain_db in gains)
        p1, p2 = self._f1**4, self._f2**4
        # The power response times (f1⁴ + f⁴) (f2⁴ + f⁴), as a polynomial in f⁴.
        squares = np.roots([high, (low + high) * p1 + mid * (p2 - p1), low * p1 * p2])
        roots = [complex(square) ** 0.25 * turn for square in squares for turn in (1, 1j, -1, -1j)]
        numerator = math.sqrt(high) * _polynomial(root for root in roots if root.real < 0.0)
        poles_P = self.poles_P
        pair = (1.0 - poles_P[::-1] / poles_P) * (1.0 - poles_P[::-1].conj() / poles_P)
        others_P = (1.0 - poles_P.conj() / poles_P) * pair * self._denominator[0]
        # A pair of poles gives twice the real part.
        of_poles_P = 2.0 * np.polyval(numerator[::-1], 1.0 / poles_P) / others_P
        return _Weights(float(numerator[-1] / self._denominator[-1]), of_poles_P)


def _polynomial(roots: Iterable[complex]) -> NDArray[np.float64]:
    """Return the polynomial with these roots in s, in powers of 1/z and times (1 + 1/z) for each."""
    product = np.ones(1, np.complex128)
    for root in roots:
        product = np.convolve(product, [1.0 - root, -1.0 - root])
    return product.real


def _approach(value: float, target: float, step: float) -> float:
    return min(max(target, value - step), value + step)
