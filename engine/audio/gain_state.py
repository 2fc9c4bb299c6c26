"""The gain of input conditioning from block to block: noise gate, levelling and limiter, as values and pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.media.band_levels import LEAST_POWER

LOWEST_DB, HIGHEST_DB = -40.0, 24.0
"""Of the levelling. More would turn the noise of a quiet room into a show."""
LOUDNESS_S = 0.4
"""Averaging time of loudness: the momentary loudness of EBU Tech 3341."""
DOWN_S, UP_S, OFF_S = 0.5, 20.0, 0.2
"""Time constants of the levelling: down, up, and back to 0 dB when switched off. Up is slow, so that quiet parts stay quiet."""
BEGIN_S = 3.0
"""So long the gain follows the first signal as fast as it is known: afterwards quiet parts are part of the music."""
SILENCE_DB = -70.0
"""Quieter blocks do not count as signal: the absolute gate of ITU-R BS.1770."""
GATE_OFF_DB = -90.0
HYSTERESIS_DB = 6.0
HOLD_S, CLOSE_S = 0.1, 0.06
"""Quiet time before the gate closes, and the time it takes to close; it opens within a block."""
SLACK_DB = 3.0
"""Sound that is no further from the model's loudness passes as it came: the model knows loud and quiet."""
EMPHASIS_S, RISE_S = 0.05, 0.02
"""A change of level is how far the sound of the last EMPHASIS_S is from its average over LOUDNESS_S; what gets louder counts sooner."""
LIVELY_DB, USUALLY_LIVELY_DB, LIVELY_S, FIRST_LIVELY_S, LARGEST_CHANGE_DB = 8.0, 6.0, 2.0, 0.2, 20.0
"""A sound is as lively as its changes of level over the last seconds, by their root mean square; over fewer seconds at the beginning. Livelier
sound than the first gets no emphasis, and steadier sound the more. Larger changes than the last count as that."""
MOST_USUAL_DB = 3.0
"""A sound that stands still has changes of usually 0 dB, or of up to so much; a drop between two parts is not usual."""
EMPHASIS, MOST_EMPHASIS_DB = 10.0, 15.0
"""A change is made larger by no more than so many times itself, and by less than so many dB."""
ROOM_FADE_DB = 6.0
"""Sound that is by so much quieter than levelling can raise gets no emphasis."""
FIXED_EMPHASIS, FIXED_SPAN_DB, FIXED_SLACK_DB = 3.5, 12.0, 6.0
"""Of takes of versions 5 and 6: all changes so much larger, and ever less of it up to the span."""
KNEE_DB = 3.0
"""The limiter begins so far below the loudest level that the model knows, and bends softly so that nothing gets above it."""
RELEASE_S = 0.08
_CLOSE_DB = 0.01
_LARGEST_GAIN_DB = 1000.0
_LARGEST = 1e9
"""Of powers and seconds."""


@dataclass(frozen=True, slots=True)
class Aim:
    """Where conditioning brings the sound; that of a model comes from its card."""

    loudness_db: float
    ceilings_db: tuple[float, ...] = ()
    """The loudest level of each band that the model knows; without any nothing is limited."""
    lowest_db: float = LOWEST_DB
    highest_db: float = HIGHEST_DB
    up_s: float = UP_S
    slack_db: float = SLACK_DB
    emphasis: float = EMPHASIS
    adapts: bool = True
    """Whether emphasis depends on how lively the sound is; `emphasis` is its largest factor then."""
    begins_quickly: bool = True
    """Whether the gain follows the first BEGIN_S of signal as fast as they are known."""


@dataclass(frozen=True, slots=True)
class GainState:
    """State from block to block."""

    gain_db: float = 0.0
    """Of the levelling."""
    limit_db: float = 0.0
    """Of the limiter: 0 or less."""
    emphasis_db: float = 0.0
    """Of what changes."""
    power: float = 0.0
    """Averaged mean square of the blocks above SILENCE_DB; 0 before the first."""
    newest_power: float = 0.0
    """The same over EMPHASIS_S, and over RISE_S where it rises."""
    usual_change_db: float = 0.0
    """Averaged change of level: above 0 also where the sound stands still, since `newest_power` rises sooner than it falls."""
    liveliness: float = USUALLY_LIVELY_DB**2
    """Averaged square of the changes beside the usual one, in dB². It begins as that of lively music."""
    signal_s: float = 0.0
    """How much signal there was so far."""
    is_open: bool = True
    gate: float = 1.0
    """Gain factor of the gate, 0 to 1."""
    quiet_s: float = 0.0

    @property
    def factor(self) -> float:
        return self.gate * 10.0 ** ((self.gain_db + self.emphasis_db + self.limit_db) / 20.0)

    def after(self, power: float, block_s: float, aim: Aim | None, gate_db: float) -> GainState:
        """Return the state after a block of this power (mean square); without an aim the levelling returns to 0 dB."""
        level_db = 10.0 * math.log10(max(power, LEAST_POWER))
        gated = self._gated(level_db, block_s, gate_db)
        if aim is None:
            gain_db = self.gain_db * math.exp(-block_s / OFF_S)
            gain_db = gain_db if abs(gain_db) > _CLOSE_DB else 0.0
            return GainState(gain_db, is_open=gated.is_open, gate=gated.gate, quiet_s=gated.quiet_s)
        if not gated.is_open or level_db < SILENCE_DB:
            return replace(gated, emphasis_db=0.0)
        average = self.power + (power - self.power) * _share(block_s, LOUDNESS_S) if self.power else power
        away_db = aim.loudness_db - 10.0 * math.log10(average)
        if aim.slack_db:
            away_db = math.copysign(max(abs(away_db) - aim.slack_db, 0.0), away_db)
        error_db = min(max(away_db, aim.lowest_db), aim.highest_db) - self.gain_db
        signal_s = self.signal_s + block_s
        is_beginning = aim.begins_quickly and signal_s < BEGIN_S
        up_s = max(signal_s, LOUDNESS_S) if is_beginning else aim.up_s
        gain_db = self.gain_db + error_db * _share(block_s, DOWN_S if error_db < 0.0 else up_s)
        newest = self._newest(power, block_s, aim)
        changed_db = 10.0 * math.log10(newest / average)
        share = _share(block_s, min(signal_s + FIRST_LIVELY_S, LIVELY_S))
        usual_db = self.usual_change_db + (_within(changed_db, MOST_USUAL_DB) - self.usual_change_db) * share
        seen = _within(changed_db - usual_db, LARGEST_CHANGE_DB) ** 2
        liveliness = self.liveliness + (seen - self.liveliness) * share
        if aim.adapts:
            # What the levelling cannot raise to the model's loudness is most likely the noise of a room.
            heard = min(max(1.0 - (away_db - aim.highest_db) / ROOM_FADE_DB, 0.0), 1.0)
            emphasis_db = _emphasis_db(changed_db - usual_db, liveliness, heard * aim.emphasis)
        else:
            emphasis_db = aim.emphasis * changed_db * max(0.0, 1.0 - abs(changed_db) / FIXED_SPAN_DB)
        return replace(
            gated,
            gain_db=gain_db,
            emphasis_db=emphasis_db,
            power=average,
            newest_power=newest,
            usual_change_db=usual_db,
            liveliness=liveliness,
            signal_s=signal_s,
        )

    def limited(self, band_powers: Sequence[float], by_hand_db: float, block_s: float, aim: Aim) -> GainState:
        """Return the state in which no band of this block leaves the range that the model knows; `by_hand_db` is a further gain."""
        gain_db = self.gain_db + self.emphasis_db + by_hand_db
        over_db = max(
            10.0 * math.log10(max(power, LEAST_POWER)) + gain_db - ceiling_db
            for power, ceiling_db in zip(band_powers, aim.ceilings_db, strict=True)
        )
        released_db = self.limit_db * math.exp(-block_s / RELEASE_S)
        limit_db = min(-reduction_db(over_db), released_db)
        return replace(self, limit_db=limit_db if limit_db < -_CLOSE_DB else 0.0)

    def _newest(self, power: float, block_s: float, aim: Aim) -> float:
        """Return the power over EMPHASIS_S after a block; it begins at that of the first one."""
        if aim.adapts and not self.newest_power:
            return power
        away = power - self.newest_power
        risen = self.newest_power + away * _share(block_s, RISE_S) if aim.adapts else power
        return max(risen, self.newest_power + away * _share(block_s, EMPHASIS_S))

    def _gated(self, level_db: float, block_s: float, gate_db: float) -> GainState:
        if gate_db <= GATE_OFF_DB or level_db >= gate_db:
            return replace(self, is_open=True, gate=1.0, quiet_s=0.0)
        quiet_s = self.quiet_s + block_s if level_db < gate_db - HYSTERESIS_DB else 0.0
        is_open = self.is_open and quiet_s < HOLD_S
        return replace(
            self, is_open=is_open, gate=1.0 if is_open else max(self.gate - block_s / CLOSE_S, 0.0), quiet_s=quiet_s
        )


def reduction_db(over_db: float) -> float:
    """Return by how much a level that lies `over_db` above its ceiling is turned down: nothing below the knee, then ever more, and
    beyond the knee all that is above the ceiling. The parabola meets both lines without a corner."""
    if over_db <= -KNEE_DB:
        return 0.0
    return over_db if over_db >= KNEE_DB else (over_db + KNEE_DB) ** 2 / (4.0 * KNEE_DB)


def _emphasis_db(change_db: float, liveliness: float, most: float) -> float:
    """Return the gain by which a change of level is emphasised: the steadier the sound, the more, and with its square so that dense music
    moves the frame half as much as drums do and more."""
    times = min(max(LIVELY_DB**2 / max(liveliness, 1e-6) - 1.0, 0.0), most)
    return MOST_EMPHASIS_DB * math.tanh(times * change_db / MOST_EMPHASIS_DB)


def _within(value: float, most: float) -> float:
    return min(max(value, -most), most)


def _share(block_s: float, constant_s: float) -> float:
    return 1.0 - math.exp(-block_s / constant_s)


def is_possible(state: GainState) -> bool:
    """Return whether conditioning can be in this state: a take may come from a stranger."""
    gains_db = (state.gain_db, state.limit_db, state.emphasis_db, state.usual_change_db)
    times_and_powers = (state.power, state.newest_power, state.liveliness, state.signal_s, state.quiet_s)
    return (
        all(abs(gain_db) <= _LARGEST_GAIN_DB for gain_db in gains_db)
        and all(0.0 <= value <= _LARGEST for value in times_and_powers)
        and 0.0 <= state.gate <= 1.0
    )
