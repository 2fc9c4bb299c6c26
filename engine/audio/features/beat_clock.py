"""A beat clock: a phase-locked loop that follows the sound, a given tempo, taps or another clock. It never goes back.

Small phase errors are corrected by a slightly faster or slower clock, large ones that last by a jump forward. The state is a
value, so the clock can be rewound to any frame to apply a command that arrived late.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from engine.audio.features.tap_tempo import add_tap, fit_beat
from engine.audio.features.tempo import TICK_S, BeatPosition, Tempo

BEATS_A_BAR = 4
SLOWEST_FOLLOWED_BPM = 1.0
"""Slower clocks are not followed."""
PULL = 0.5
"""Share of a measured phase error that is corrected,"""
PULL_S = 0.15
"""in about this time."""
SLOWEST, FASTEST = 0.4, 1.6
"""Limits of its speed during a correction, relative to the tempo."""
FAR_BEATS = 0.17
FAR_TICKS = 8
"""Measurements in a row that must find the beat elsewhere before the clock jumps."""
FAR_GAIN = 1.15
LONGEST_FOLLOWED_S = 1.5
"""Beats with a longer period are not measured in the sound."""
CERTAINTY_S = 1.0
DOUBT_S = 12.0
"""Time in which certainty falls to 1/e without a beat in the sound."""
SURE_SALIENCE = 0.6

FindPosition = Callable[[float, float], BeatPosition]
"""From period and assumed age of the newest beat to the measured position (`tempo.find_beat_position`)."""


class ClockState(NamedTuple):
    """The beat clock at the end of one frame."""

    mode: Literal["sound", "given", "tapped", "followed"] = "sound"
    """What sets the tempo: the sound; a given tempo, with the position measured in the sound; taps alone; or another clock alone."""
    beats: float = 0.0
    period_s: float = 0.0
    """0 while unknown."""
    correction_beats: float = 0.0
    """Phase error still to be corrected."""
    certainty: float = 0.0
    is_aligned: bool = False
    far_ticks: int = 0
    taps_s: tuple[float, ...] = ()
    given_bpm: float = 0.0
    """The tempo that was given last and counts again once no other clock is followed; 0 for that of the sound."""


class BeatPoint(NamedTuple):
    """Where another clock is at a sample of the sound, e.g. that of a sequencer."""

    sample: int
    beats: float
    """Its position in the bar, from 0 up to BEATS_A_BAR."""
    bpm: float
    """0: from here on it is not followed any more."""
    is_bar_known: bool
    """Whether it says where the bar begins, or the beat alone."""


@dataclass(frozen=True, slots=True)
class Command:
    """A tap, a tempo or a position of another clock, at a sample of the sound."""

    sample: int
    kind: Literal["tap", "tempo", "follow"]
    bpm: float = 0.0
    beats: float = 0.0
    is_bar_known: bool = False


def apply_command(state: ClockState, command: Command, now_s: float, rate_hz: int) -> ClockState:
    """Return the clock after a command; `now_s` is the time of `state`."""
    if command.kind == "follow":
        return _follow(state, command, now_s - command.sample / rate_hz)
    if command.kind == "tap":
        return state if state.mode == "followed" else _apply_tap(state, command.sample / rate_hz, now_s)
    state = state._replace(given_bpm=command.bpm, taps_s=())
    return state if state.mode == "followed" else _apply_given(state)


def advance(state: ClockState, duration_s: float) -> ClockState:
    """Return the clock after `duration_s`."""
    if not state.period_s:
        return state
    beats = duration_s / state.period_s
    pull = state.correction_beats * (1.0 - math.exp(-duration_s / PULL_S))
    pull = min(max(pull, (SLOWEST - 1.0) * beats), (FASTEST - 1.0) * beats)
    return state._replace(beats=state.beats + beats + pull, correction_beats=state.correction_beats - pull)


def apply_measurement(state: ClockState, tempo: Tempo | None, find: FindPosition) -> ClockState:
    """Return the clock after a measurement of the sound, one every `TICK_S`."""
    if state.mode in ("tapped", "followed") or (state.mode == "given" and tempo is None):
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
            is_aligned=state.is_aligned and is_same,
        )
    return _align(state, find) if state.period_s <= LONGEST_FOLLOWED_S else state


def _align(state: ClockState, find: FindPosition) -> ClockState:
    """Return the clock corrected towards the measured beats."""
    position = find(state.period_s, state.beats % 1.0 * state.period_s)
    if not position.gain:
        return state
    measured = position.age_s / state.period_s
    if not state.is_aligned:
        return _jump(state, (measured - state.beats) % 1.0)
    behind = (measured - state.beats + 0.5) % 1.0 - 0.5
    if abs(behind) <= FAR_BEATS:
        return state._replace(correction_beats=PULL * behind, far_ticks=0)
    far_ticks = state.far_ticks + 1 if position.gain >= FAR_GAIN else 0
    return (
        _jump(state, behind % 1.0)
        if far_ticks == FAR_TICKS
        else state._replace(correction_beats=0.0, far_ticks=far_ticks)
    )


def _apply_given(state: ClockState) -> ClockState:
    if not state.given_bpm:
        return state._replace(mode="sound", is_aligned=False)
    return state._replace(mode="given", period_s=60.0 / state.given_bpm, certainty=1.0)


def _follow(state: ClockState, command: Command, since_s: float) -> ClockState:
    """Return the clock on its way to the position of another one, which was there `since_s` ago."""
    if not command.bpm:
        return _apply_given(state)
    period_s = 60.0 / command.bpm
    state = state._replace(mode="followed", period_s=period_s, certainty=1.0, taps_s=())
    return _move_to(state, command.beats + since_s / period_s, BEATS_A_BAR if command.is_bar_known else 1)


def _apply_tap(state: ClockState, tap_s: float, now_s: float) -> ClockState:
    """Return the clock after a tap. The first tap of a series starts a bar; alone it has no effect while the sound sets the tempo."""
    taps_s = add_tap(state.taps_s, tap_s)
    if taps_s == state.taps_s:
        return state
    state = state._replace(taps_s=taps_s)
    beat = fit_beat(taps_s)
    if beat is None:
        if state.mode == "sound":
            return state
        return _move_to(state._replace(mode="tapped"), (now_s - tap_s) / state.period_s, BEATS_A_BAR)
    state = state._replace(mode="tapped", period_s=beat.period_s, certainty=1.0)
    since = (now_s - beat.at_s) / beat.period_s
    return _move_to(state, 1.0 + since, BEATS_A_BAR) if len(taps_s) == 2 else _move_to(state, since, 1)


def _move_to(state: ClockState, target_beats: float, every: int) -> ClockState:
    """Return the clock on its way to `target_beats` modulo `every`: by a correction if near, by a jump if far."""
    behind = (target_beats - state.beats + 0.5 * every) % every - 0.5 * every
    if abs(behind) <= 0.5 and state.is_aligned:
        return state._replace(correction_beats=behind, far_ticks=0)
    return _jump(state, behind % every)


def _jump(state: ClockState, beats: float) -> ClockState:
    return state._replace(beats=state.beats + beats, correction_beats=0.0, is_aligned=True, far_ticks=0)
