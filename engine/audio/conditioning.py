"""Input conditioning: the sound of a show on its way into the model, brought to where the model knows sound.

Noise gate, levelling to the loudness of the sound that the model was trained on, the gain by hand (`gain_db`), and a limiter without
look-ahead that bends softly where a band gets louder than it ever was in training. All are computed in blocks of about 5 ms and form
one continuous gain curve, as long as the sound window: a sample has the same gain in every window that holds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from engine.audio.gain_state import GATE_OFF_DB, Aim, GainState
from engine.audio.idle import drifted
from engine.media.band_levels import BandMeter
from engine.model.training_sound import TrainingSound

# T audio samples, N blocks of a hop, K bands

Values = Mapping[str, float | int | bool]
UNKNOWN_QUIET_DB = -45.0
"""How quiet the idle drift is for a model whose card says nothing of its sound."""
_NONE: NDArray[np.float32] = np.ones(0, np.float32)


@dataclass(frozen=True, slots=True)
class GainHistory:
    """The complete state of the conditioning, as a value."""

    state: GainState = field(default_factory=GainState)
    next_index: int = 0
    """Index of the next hop."""
    curve_T: NDArray[np.float32] = field(default_factory=lambda: _NONE)
    """Gain of the newest samples, one window long; empty while it is 1 everywhere."""
    limit_db: float = 0.0
    """What the limiter took at most in the newest hop."""


def aim_of(sound: TrainingSound | None) -> Aim | None:
    """Return where to bring the sound for a model; None for one whose card does not say what it was trained on."""
    return Aim(sound.loudness_db, tuple(band.loud_db for band in sound.bands)) if sound else None


class Conditioner:
    """Conditions successive windows; the result depends on all hops in order, also on skipped ones."""

    def __init__(self, rate_hz: int, hop_samples: int) -> None:
        self._hop_samples = hop_samples
        self._meter = BandMeter(rate_hz, hop_samples)
        self._rate_hz = rate_hz
        self._aim: Aim | None = None
        self.history = GainHistory()

    @property
    def gain_db(self) -> float:
        """The gain of the levelling, for display."""
        return self.history.state.gain_db

    @property
    def limit_db(self) -> float:
        """What the limiter took in the last hop, 0 or less, for display."""
        return self.history.limit_db

    @property
    def aim(self) -> Aim | None:
        """Where the sound was brought in the last hop; None where it passed as it came."""
        return self._aim

    @property
    def is_open(self) -> bool:
        """Whether the gate is open."""
        return self.history.state.is_open

    def apply(
        self, window_T: NDArray[np.float32], index: int, values: Values, sound: TrainingSound | None = None
    ) -> NDArray[np.float32]:
        """Return the window of hop `index` after `gate_db`, `conditioning`, `gain_db` and `idle`; the same array where the gain is 1.

        `sound` is what the playing model was trained on; without it, or with `conditioning` off, the gate and the gain by hand act
        alone. All windows have one length. Hops that are older than the window and were never seen are left out.
        """
        before, self._aim = self._aim, self.aim_for(values, sound)
        if before and self._aim and before.loudness_db != self._aim.loudness_db:
            # Another model knows another loudness, which is not waited for as for a quiet part of the music.
            self.history = replace(self.history, state=replace(self.history.state, signal_s=0.0))
        by_hand_db = float(values.get("gain_db", 0.0))
        gate_db = float(values.get("gate_db", GATE_OFF_DB))
        self.history = self._advance(window_T, index, gate_db, by_hand_db)
        curve_T = self.history.curve_T
        if len(curve_T):
            window_T = window_T * curve_T
        if by_hand_db:
            window_T = window_T * np.float32(10.0 ** (by_hand_db / 20.0))
        idle = float(values.get("idle", 0.0))
        quiet_db = sound.quiet_db if sound else UNKNOWN_QUIET_DB
        return drifted(window_T, (index + 1) * self._hop_samples, self._rate_hz, idle, quiet_db) if idle else window_T

    def early(
        self, window_T: NDArray[np.float32], index: int, end: int, values: Values, sound: TrainingSound | None = None
    ) -> NDArray[np.float32]:
        """Return a window that ends before sample `end`, within hop `index`, conditioned as `apply` does; nothing changes.

        The rest of the hop counts as silence, since no gain depends on what comes later. The oldest samples, as many, stay as they are.
        """
        kept, rest = (self.history, self._aim), (index + 1) * self._hop_samples - end
        whole_T = np.concatenate([window_T[rest:], np.zeros(rest, np.float32)])
        conditioned_T = self.apply(whole_T, index, values, sound)
        self.history, self._aim = kept
        return np.concatenate([window_T[:rest], conditioned_T[: len(window_T) - rest]])

    def aim_for(self, values: Values, sound: TrainingSound | None) -> Aim | None:
        """Return where to bring the sound under these values."""
        if not values.get("conditioning", False):
            return None
        aim = aim_of(sound)
        # Levels of other bands than those measured here say nothing.
        is_measured = sound is None or len(sound.bands) == len(self._meter.band_edges_hz) - 1
        return aim if aim is None or is_measured else replace(aim, ceilings_db=())

    def _advance(self, window_T: NDArray[np.float32], index: int, gate_db: float, by_hand_db: float) -> GainHistory:
        state, hop = self.history.state, self._hop_samples
        is_off = self._aim is None and gate_db <= GATE_OFF_DB
        if is_off and state.factor == 1.0 and not len(self.history.curve_T):
            return GainHistory(state, index + 1)
        first = max(self.history.next_index, index + 1 - len(window_T) // hop)
        curve_T = self.history.curve_T
        parts = [curve_T if len(curve_T) else np.full(len(window_T), state.factor, np.float32)]
        limit_db = 0.0
        for number in range(first, index + 1):
            end = len(window_T) - (index - number) * hop
            part_T, state, limit_db = self._hop_curve(window_T[end - hop : end], state, gate_db, by_hand_db)
            parts.append(part_T)
        curve_T = np.concatenate(parts)[-len(window_T) :]
        is_neutral = state.factor == 1.0 and bool((curve_T == 1.0).all())
        return GainHistory(state, index + 1, _NONE if is_neutral else curve_T, limit_db)

    def _hop_curve(
        self, hop_T: NDArray[np.float32], state: GainState, gate_db: float, by_hand_db: float
    ) -> tuple[NDArray[np.float32], GainState, float]:
        """Return the gain of a hop's samples, linear from block to block, the state after it and what was limited at most."""
        aim, edges, sizes = self._aim, self._meter.edges, self._meter.sizes
        sound_T = np.nan_to_num(hop_T, nan=0.0, posinf=1.0, neginf=-1.0)
        powers = np.add.reduceat(np.square(sound_T, dtype=np.float64), edges[:-1]) / sizes
        has_limiter = aim is not None and bool(aim.ceilings_db)
        band_powers = self._meter.powers(sound_T).tolist() if has_limiter else ()
        factors, limits_db = [state.factor], [0.0]
        for n, (power, size) in enumerate(zip(powers.tolist(), sizes.tolist(), strict=True)):
            block_s = size / self._rate_hz
            state = state.after(power, block_s, aim, gate_db)
            if aim is not None and has_limiter:
                state = state.limited(band_powers[n], by_hand_db, block_s, aim)
            factors.append(state.factor)
            limits_db.append(state.limit_db)
        # The last sample of a block has the gain of its block.
        curve_T = np.interp(np.arange(1, len(hop_T) + 1), edges, factors)
        if has_limiter:
            # An attack is turned down from the first sample of its block on: nobody hears the corner, and the model sees no peak.
            curve_T = np.minimum(curve_T, np.repeat(factors[1:], sizes))
        return curve_T.astype(np.float32), state, min(limits_db)
