"""Automatic gain and noise gate before the model: quiet and loud feeds reach the same loudness, noise becomes silence.

Both are computed in blocks of about BLOCK_S and form one continuous gain curve. The curve is as long as the sound window, so a
sample has the same gain in every window that holds it.
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
"""Target loudness as RMS re full scale: that of the clip the shipped model was trained on, and in LUFS the level of EBU R 128."""
LOWEST_DB, HIGHEST_DB = -20.0, 40.0
LOUDNESS_S = 0.4
"""Averaging time of loudness: the momentary loudness of EBU Tech 3341."""
DOWN_S, UP_S, OFF_S = 0.5, 4.0, 0.2
"""Time constants of the gain: down, up, and back to 0 dB when switched off."""
SILENCE_DB = -70.0
"""Quieter blocks do not count as signal: the absolute gate of ITU-R BS.1770."""
GATE_OFF_DB = -90.0
HYSTERESIS_DB = 6.0
HOLD_S, CLOSE_S = 0.1, 0.06
"""Quiet time before the gate closes, and the time it takes to close; it opens within a block."""
_CLOSE_DB = 0.01
_LEAST_POWER = 1e-12


@dataclass(frozen=True, slots=True)
class GainState:
    """State from block to block."""

    gain_db: float = 0.0
    power: float = 0.0
    """Averaged mean square of the blocks above SILENCE_DB; 0 before the first."""
    is_open: bool = True
    gate: float = 1.0
    """Gain factor of the gate, 0 to 1."""
    quiet_s: float = 0.0

    @property
    def factor(self) -> float:
        return self.gate * 10.0 ** (self.gain_db / 20.0)

    def after(self, power: float, block_s: float, auto: bool, gate_db: float) -> GainState:
        """Return the state after a block of this power (mean square)."""
        level_db = 10.0 * math.log10(max(power, _LEAST_POWER))
        gated = self._gated(level_db, block_s, gate_db)
        if not auto:
            gain_db = self.gain_db * math.exp(-block_s / OFF_S)
            return replace(gated, gain_db=gain_db if abs(gain_db) > _CLOSE_DB else 0.0, power=0.0)
        if not gated.is_open or level_db < SILENCE_DB:
            return gated
        average = self.power + (power - self.power) * _share(block_s, LOUDNESS_S) if self.power else power
        goal_db = min(max(TARGET_DB - 10.0 * math.log10(average), LOWEST_DB), HIGHEST_DB)
        error_db = goal_db - self.gain_db
        gain_db = self.gain_db + error_db * _share(block_s, DOWN_S if error_db < 0.0 else UP_S)
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
    """The complete state of the automatic gain, as a value."""

    state: GainState = GainState()
    next_index: int = 0
    """Index of the next hop."""
    curve_T: NDArray[np.float32] = field(default_factory=lambda: np.ones(0, np.float32))
    """Gain of the newest samples, one window long; empty while it is 1 everywhere."""


class AutoGain:
    """Applies gain and gate to successive windows; the result depends on all hops in order, also on skipped ones."""

    def __init__(self, rate_hz: int, hop_samples: int) -> None:
        self._hop_samples = hop_samples
        blocks = max(1, round(hop_samples / rate_hz / BLOCK_S))
        self._edges = np.rint(np.linspace(0, hop_samples, blocks + 1)).astype(np.intp)
        self._sizes = np.diff(self._edges)
        self._rate_hz = rate_hz
        self.history = GainHistory()

    @property
    def gain_db(self) -> float:
        """The current automatic gain, for display."""
        return self.history.state.gain_db

    @property
    def is_open(self) -> bool:
        """Whether the gate is open."""
        return self.history.state.is_open

    def apply(
        self, window_T: NDArray[np.float32], index: int, values: Mapping[str, float | int | bool]
    ) -> NDArray[np.float32]:
        """Return the window of hop `index` after `auto_gain` and `gate_db`; the same array where the gain is 1.

        All windows have one length. Hops that are older than the window and were never seen are left out.
        """
        auto, gate_db = bool(values.get("auto_gain", False)), float(values.get("gate_db", GATE_OFF_DB))
        self.history = self._advance(window_T, index, auto, gate_db)
        curve_T = self.history.curve_T
        return window_T * curve_T if len(curve_T) else window_T

    def early(self, window_T: NDArray[np.float32], newer_samples: int) -> NDArray[np.float32]:
        """Return a window that ends `newer_samples` after the last hop, with the gain of now from there on; nothing changes."""
        history = self.history
        if not len(history.curve_T):
            return window_T
        newer_T = np.full(newer_samples, history.state.factor, np.float32)
        return window_T * np.concatenate([history.curve_T, newer_T])[-len(window_T) :]

    def _advance(self, window_T: NDArray[np.float32], index: int, auto: bool, gate_db: float) -> GainHistory:
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
        """Return the gain of a hop's samples: linear from block to block."""
        sound_T = np.nan_to_num(hop_T, nan=0.0, posinf=1.0, neginf=-1.0)
        powers = np.add.reduceat(np.square(sound_T, dtype=np.float64), self._edges[:-1]) / self._sizes
        factors = [state.factor]
        for power, size in zip(powers.tolist(), self._sizes.tolist(), strict=True):
            state = state.after(power, size / self._rate_hz, auto, gate_db)
            factors.append(state.factor)
        # The last sample of a block has the gain of its block.
        curve_T = np.interp(np.arange(1, len(hop_T) + 1), self._edges, factors)
        return curve_T.astype(np.float32), state
