"""Lets the beat clock follow the best clock that there is outside.

The clock outside says where it is now, the beat clock belongs to samples of the sound. This joins them: each position becomes a
BeatPoint at the newest sample, by the time at which that was captured. The store hands the points to the next step, and a take
records them, so that a replay has the same beats.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from engine.audio.features.analyser import FASTEST_BPM
from engine.audio.features.beat_clock import BEATS_A_BAR, SLOWEST_FOLLOWED_BPM, BeatPoint
from engine.audio.sample_clock import SampleClock
from engine.control.parameter import Value
from engine.control.parameter_table import TEMPO_SOURCES, ShowValues
from engine.control.tempo.tempo_input import TempoInput, TempoPosition
from engine.core.clock import Clock
from engine.core.repeating_thread import RepeatingThread

ASKED_EVERY_S = 0.02
FAR_S = 0.001
"""A point is given when the one before is off by more, and"""
POINT_EVERY_S = 1.0
"""after this time: fewer points, shorter takes."""


class FollowedSound(NamedTuple):
    """The sound and the store that the beat clock belongs to."""

    rate_hz: int
    newest_sample: Callable[[], tuple[float, float] | None]
    """Returns the newest sample and when it was captured; None before the first and offline."""
    values: Callable[[], Mapping[str, Value]]
    follow: Callable[[BeatPoint], None]
    """Takes a point; see ParameterStore.follow."""


class BeatFollower:
    """Follows in a thread of its own from `start` to `close`; `attend` does one round."""

    def __init__(self, sound: FollowedSound, inputs: tuple[TempoInput, ...], clock: Clock) -> None:
        self._sound = sound
        self._inputs = {one.name: one for one in inputs}
        self._clock = clock
        self._sample_clock = SampleClock(sound.rate_hz)
        self._last: BeatPoint | None = None
        self._following = ""
        self._thread = RepeatingThread("tempo", ASKED_EVERY_S, self._attend_now)

    @property
    def following(self) -> str:
        """The name of the clock that is followed; empty where it is none."""
        return self._following

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def close(self) -> None:
        """End the thread; safe to call twice, and without `start`."""
        self._thread.close()
        newest = self._sound.newest_sample()
        if newest is not None:
            self._let_go(max(0, int(newest[0])))

    def attend(self, now_s: float) -> None:
        """Ask the clocks outside once, and give the beat clock a point where it needs one."""
        newest = self._sound.newest_sample()
        if newest is None:
            return
        self._sample_clock.observe(*newest)
        sample = max(0, int(newest[0]))
        name, position = self._choose(now_s)
        self._following = name
        if position is None:
            self._let_go(sample)
            return
        beats = position.beats_at(self._sample_clock.time_s(sample)) % BEATS_A_BAR
        # A remainder just below 0 rounds up to the divisor.
        point = BeatPoint(sample, beats if beats < BEATS_A_BAR else 0.0, position.bpm, position.is_bar_known)
        if self._is_needed(point):
            self._last = point
            self._sound.follow(point)

    def _let_go(self, sample: int) -> None:
        """Nobody is followed any more, so the beat goes its own way."""
        if self._last is not None:
            self._last = None
            self._sound.follow(BeatPoint(sample, 0.0, 0.0, False))

    def _attend_now(self) -> None:
        self.attend(self._clock.now_s())

    def _choose(self, now_s: float) -> tuple[str, TempoPosition | None]:
        """Return the clock that `tempo_source` names, or for "auto" the first that is there."""
        chosen = TEMPO_SOURCES[ShowValues(self._sound.values()).tempo_source]
        names = TEMPO_SOURCES if chosen == "auto" else (chosen,)
        for name in names:
            position = self._inputs[name].position(now_s) if name in self._inputs else None
            if position and SLOWEST_FOLLOWED_BPM <= position.bpm <= FASTEST_BPM:
                return name, position
        return "", None

    def _is_needed(self, point: BeatPoint) -> bool:
        last = self._last
        if last is None or last.is_bar_known != point.is_bar_known:
            return True
        passed_s = (point.sample - last.sample) / self._sound.rate_hz
        every = BEATS_A_BAR if point.is_bar_known else 1
        off = (point.beats - last.beats - passed_s * last.bpm / 60.0 + 0.5 * every) % every - 0.5 * every
        return passed_s >= POINT_EVERY_S or abs(off) * 60.0 / point.bpm > FAR_S
