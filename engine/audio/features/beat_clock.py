"""A clock of beats that goes on by itself and is pulled towards what is heard or tapped. It never goes back.

A phase-locked loop: small differences are made up for by going a little faster or slower, large ones that last by a leap forward.
The state is a value, so the clock can be taken back to any frame and told there what it was told late.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from engine.audio.features.tap_tempo import tapped_beat, with_tap
from engine.audio.features.tempo import TICK_S, Place, Tempo

BEATS_A_BAR = 4
PULL = 0.5
"""Share of a heard difference that is made up for."""
PULL_S = 0.15
"""In about which time."""
SLOWEST, FASTEST = 0.4, 1.6
"""Of its own pace, while it makes up for a difference."""
FAR_BEATS = 0.17
FAR_TICKS = 8
"""How many measurements in a row have to find the beat elsewhere before the clock leaps there."""
FAR_GAIN = 1.15
LONGEST_FOLLOWED_S = 1.5
"""Beats further apart are not looked for in the sound."""
CERTAINTY_S = 1.0
DOUBT_S = 12.0
"""How long certainty lasts without a beat to be heard, until a third of it is left."""
SURE_SALIENCE = 0.6

Find = Callable[[float, float], Place]
"""Where beats so many seconds apart fall, beside a newest beat of a given age (`tempo.beat_place`)."""


class ClockState(NamedTuple):
    mode: Literal["sound", "given", "tapped"] = "sound"
    """What sets the pace: the sound; a given tempo, its place still by the sound; or taps alone."""
    beats: float = 0.0
    period_s: float = 0.0
    """0 while unknown."""
    owed_beats: float = 0.0
    """How far the clock is behind what it should show."""
    certainty: float = 0.0
    is_placed: bool = False
    far_ticks: int = 0
    taps_s: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Command:
    """What somebody wants of the clock at a moment of the sound."""

    sample: int
    kind: Literal["tap", "tempo"]
    bpm: float = 0.0


def obeyed(state: ClockState, command: Command, now_s: float, rate_hz: int) -> ClockState:
    """Return the clock after a command; `now_s` is the moment of the state."""
    if command.kind == "tap":
        return _tapped(state, command.sample / rate_hz, now_s)
    if not command.bpm:
        return state._replace(mode="sound", taps_s=(), is_placed=False)
    return state._replace(mode="given", period_s=60.0 / command.bpm, certainty=1.0, taps_s=())


def gone_on(state: ClockState, duration_s: float) -> ClockState:
    """Return the clock a moment later."""
    if not state.period_s:
        return state
    own = duration_s / state.period_s
    pull = state.owed_beats * (1.0 - math.exp(-duration_s / PULL_S))
    pull = min(max(pull, (SLOWEST - 1.0) * own), (FASTEST - 1.0) * own)
    return state._replace(beats=state.beats + own + pull, owed_beats=state.owed_beats - pull)


def measured(state: ClockState, tempo: Tempo | None, find: Find) -> ClockState:
    """Return the clock after a measurement of the sound, which comes every `TICK_S`."""
    if state.mode == "tapped" or (state.mode == "given" and tempo is None):
        return state
    if tempo is None:
        return state._replace(certainty=state.certainty * math.exp(-TICK_S / DOUBT_S))
    if state.mode == "sound":
        sure = min(1.0, tempo.salience / SURE_SALIENCE)
        share = 1.0 - math.exp(-TICK_S / CERTAINTY_S)
        is_same = state.period_s > 0.0 and abs(tempo.period_s / state.period_s - 1.0) < 0.05
        state = state._replace(
            certainty=state.certainty + share * (sure - state.certainty),
            period_s=tempo.period_s,
            is_placed=state.is_placed and is_same,
        )
    return _placed(state, find) if state.period_s <= LONGEST_FOLLOWED_S else state


def _placed(state: ClockState, find: Find) -> ClockState:
    """Pull the clock towards the beats that are heard."""
    place = find(state.period_s, state.beats % 1.0 * state.period_s)
    if not place.gain:
        return state
    heard = place.age_s / state.period_s
    if not state.is_placed:
        return _leapt(state, (heard - state.beats) % 1.0)
    behind = (heard - state.beats + 0.5) % 1.0 - 0.5
    if abs(behind) <= FAR_BEATS:
        return state._replace(owed_beats=PULL * behind, far_ticks=0)
    far_ticks = state.far_ticks + 1 if place.gain >= FAR_GAIN else 0
    return (
        _leapt(state, behind % 1.0) if far_ticks == FAR_TICKS else state._replace(owed_beats=0.0, far_ticks=far_ticks)
    )


def _tapped(state: ClockState, tap_s: float, now_s: float) -> ClockState:
    """Take a tap. The first of a series is the first beat of a bar; alone it says nothing while the sound sets the pace."""
    taps_s = with_tap(state.taps_s, tap_s)
    if taps_s == state.taps_s:
        return state
    state = state._replace(taps_s=taps_s)
    beat = tapped_beat(taps_s)
    if beat is None:
        if state.mode == "sound":
            return state
        return _shown(state._replace(mode="tapped"), (now_s - tap_s) / state.period_s, BEATS_A_BAR)
    state = state._replace(mode="tapped", period_s=beat.period_s, certainty=1.0)
    since = (now_s - beat.at_s) / beat.period_s
    return _shown(state, 1.0 + since, BEATS_A_BAR) if len(taps_s) == 2 else _shown(state, since, 1)


def _shown(state: ClockState, wanted_beats: float, every: int) -> ClockState:
    """Return the clock on its way to `wanted_beats`, give or take a multiple of `every`: gently if near, with a leap if far."""
    behind = (wanted_beats - state.beats + 0.5 * every) % every - 0.5 * every
    if abs(behind) <= 0.5 and state.is_placed:
        return state._replace(owed_beats=behind, far_ticks=0)
    return _leapt(state, behind % every)


def _leapt(state: ClockState, beats: float) -> ClockState:
    return state._replace(beats=state.beats + beats, owed_beats=0.0, is_placed=True, far_ticks=0)
