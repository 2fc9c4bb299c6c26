"""What the model hears of quiet, loud and noisy feeds: a slow automatic gain, and a gate that turns noise into silence.

Both are decided in blocks of about BLOCK_S and become one curve of gain without steps. The curve is kept as long as the window
is, so that a sample has the same gain in every window that it is heard in.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

# T audio samples

BLOCK_S = 0.005
TARGET_DB = -23.0
"""Loudness that the gain aims at, as the root mean square re full scale: that of the clip which the shipped model was taught,
and in LUFS what EBU R 128 asks of broadcasts."""
LOWEST_DB, HIGHEST_DB = -20.0, 40.0
LOUDNESS_S = 0.4
"""Over how long loudness is averaged: the momentary loudness of EBU Tech 3341."""
DOWN_S, UP_S, OFF_S = 0.5, 4.0, 0.2
"""Time constants of the gain: towards less, towards more, and back to none when it is switched off."""
SILENCE_DB = -70.0
"""What is quieter says nothing about the feed: the absolute gate of ITU-R BS.1770."""
GATE_OFF_DB = -90.0
HYSTERESIS_DB = 6.0
HOLD_S, CLOSE_S = 0.1, 0.06
"""How long it has to be quiet before the gate closes, and how long that takes; it opens within a block."""
_CLOSE_DB = 0.01
_POWER_OF_NOTHING = 1e-12


@dataclass(frozen=True, slots=True)
class GainState:
    """What is remembered from block to block."""

    gain_db: float = 0.0
    power: float = 0.0
    """Mean square of what was loud enough to count, averaged; 0 before any was."""
    is_open: bool = True
    gate: float = 1.0
    """Factor of the gate."""
    quiet_s: float = 0.0

    @property
    def factor(self) -> float:
        return self.gate * 10.0 ** (self.gain_db / 20.0)

    def after(self, power: float, block_s: float, auto: bool, gate_db: float) -> GainState:
        """Return the state after a block of so much power (mean square)."""
        level_db = 10.0 * math.log10(max(power, _POWER_OF_NOTHING))
        gated = self._gated(level_db, block_s, gate_db)
        if not auto:
            gain_db = self.gain_db * math.exp(-block_s / OFF_S)
            return replace(gated, gain_db=gain_db if abs(gain_db) > _CLOSE_DB else 0.0, power=0.0)
        if not gated.is_open or level_db < SILENCE_DB:
            return gated
        average = self.power + (power - self.power) * _share(block_s, LOUDNESS_S) if self.power else power
        wanted_db = min(max(TARGET_DB - 10.0 * math.log10(average), LOWEST_DB), HIGHEST_DB)
        way_db = wanted_db - self.gain_db
        gain_db = self.gain_db + way_db * _share(block_s, DOWN_S if way_db < 0.0 else UP_S)
        return replace(gated, gain_db=gain_db, power=average)

    def _gated(self, level_db: float, block_s: float, gate_db: float) -> GainState:
        if gate_db <= GATE_OFF_DB or level_db >= gate_db:
            return replace(self, is_open=True, gate=1.0, quiet_s=0.0)
        quiet_s = self.quiet_s + block_s if level_db < gate_db - HYSTERESIS_DB else 0.0
        is_open = self.is_open and quiet_s < HOLD_S
        return replace(
            self, is_open=is_open, gate=1.0 if is_open else max(self.gate - block_s / CLOSE_S, 0.0), quiet_s=quiet_s
        )


def _share(block_s: float, constant_s: float) -> float:
    return 1.0 - math.exp(-block_s / constant_s)


@dataclass(frozen=True, slots=True)
class GainHistory:
    """All that an automatic gain remembers: a value."""

    state: GainState = GainState()
    next_index: int = 0
    """The hop that comes next."""
    curve_T: NDArray[np.float32] = field(default_factory=lambda: np.ones(0, np.float32))
    """Gain of the newest samples, as many as a window has; empty while it is 1 everywhere."""


class AutoGain:
    """Applies gain and gate to window after window; a function of the hops in their order, also of those that were skipped."""

    def __init__(self, rate_hz: int, hop_samples: int) -> None:
        self._hop_samples = hop_samples
        blocks = max(1, round(hop_samples / rate_hz / BLOCK_S))
        self._edges = np.rint(np.linspace(0, hop_samples, blocks + 1)).astype(np.intp)
        self._sizes = np.diff(self._edges)
        self._rate_hz = rate_hz
        self.history = GainHistory()

    @property
    def gain_db(self) -> float:
        """The automatic gain now, for meters."""
        return self.history.state.gain_db

    @property
    def is_open(self) -> bool:
        """Whether the gate lets sound through."""
        return self.history.state.is_open

    def window(
        self, window_T: NDArray[np.float32], index: int, values: Mapping[str, float | int | bool]
    ) -> NDArray[np.float32]:
        """Return the window of hop `index` under `auto_gain` and `gate_db`; itself where the gain is 1.

        Windows are equally long and hold all hops since the last one; older ones than that are taken as if they had not been.
        """
        auto, gate_db = bool(values.get("auto_gain", False)), float(values.get("gate_db", GATE_OFF_DB))
        self.history = self._heard(window_T, index, auto, gate_db)
        curve_T = self.history.curve_T
        return window_T * curve_T if len(curve_T) else window_T

    def _heard(self, window_T: NDArray[np.float32], index: int, auto: bool, gate_db: float) -> GainHistory:
        state, hop = self.history.state, self._hop_samples
        if not auto and gate_db <= GATE_OFF_DB and state.factor == 1.0 and not len(self.history.curve_T):
            return GainHistory(state, index + 1)
        first = max(self.history.next_index, index + 1 - len(window_T) // hop)
        curve_T = self.history.curve_T
        parts = [curve_T if len(curve_T) else np.full(len(window_T), state.factor, np.float32)]
        for number in range(first, index + 1):
            end = len(window_T) - (index - number) * hop
            part_T, state = self._hop_curve(window_T[end - hop : end], state, auto, gate_db)
            parts.append(part_T)
        curve_T = np.concatenate(parts)[-len(window_T) :]
        is_neutral = state.factor == 1.0 and bool((curve_T == 1.0).all())
        return GainHistory(state, index + 1, np.ones(0, np.float32) if is_neutral else curve_T)

    def _hop_curve(
        self, hop_T: NDArray[np.float32], state: GainState, auto: bool, gate_db: float
    ) -> tuple[NDArray[np.float32], GainState]:
        """Return the gain of a hop's samples: straight lines from block to block."""
        sound_T = np.nan_to_num(hop_T, nan=0.0, posinf=1.0, neginf=-1.0)
        powers = np.add.reduceat(np.square(sound_T, dtype=np.float64), self._edges[:-1]) / self._sizes
        factors = [state.factor]
        for power, size in zip(powers.tolist(), self._sizes.tolist(), strict=True):
            state = state.after(power, size / self._rate_hz, auto, gate_db)
            factors.append(state.factor)
        # A sample has the gain at its own end, so that the last one of a block has the block's.
        curve_T = np.interp(np.arange(1, len(hop_T) + 1), self._edges, factors)
        return curve_T.astype(np.float32), state
