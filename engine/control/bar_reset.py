"""Resets that wait for the next bar."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from engine.audio.features.audio_features import AudioFeatures
from engine.control.beat_boundary import BeatBoundaries
from engine.control.parameter import Value
from engine.control.parameter_store import ControlSnapshot
from engine.control.parameter_table import ShowValues


class BarReset:
    """Counts the resets that `reset_on_bar` has caused: each at the first hop of the next bar.

    The step loop adds them to those of `reset`, which the session reads. Several requests in one bar are one reset.
    """

    def __init__(self) -> None:
        self._requested = 0
        self._is_due = False
        self._boundaries = BeatBoundaries()
        self._resets = 0
        self._given: Mapping[str, Value] = {}
        self._as_came: Mapping[str, Value] = {}
        self._resets_in_it = 0

    def count(self, values: Mapping[str, Value], audio_features: AudioFeatures) -> int:
        """Return the number of resets so far; call it once a hop. Without a tempo the reset comes at once."""
        requested = int(ShowValues(values).reset_on_bar)
        self._boundaries.advance(audio_features)
        self._is_due = self._is_due or requested != self._requested
        self._requested = requested
        if self._is_due and self._boundaries.is_bar():
            self._is_due = False
            self._resets += 1
        return self._resets

    def as_came(self, snapshot: ControlSnapshot) -> ControlSnapshot:
        """Return the snapshot of the hop counted last with all resets that came in `reset`, and none that waits.

        So a take has them, since the beat of one that began in the middle of its show may have other bars.
        """
        if not (self._requested or self._resets):
            return snapshot
        if snapshot.values is not self._given or self._resets != self._resets_in_it:
            self._given, self._resets_in_it = snapshot.values, self._resets
            resets = ShowValues(snapshot.values).reset + self._resets
            own = {ShowValues.reset.name: resets, ShowValues.reset_on_bar.name: 0}
            self._as_came = MappingProxyType({**snapshot.values, **own})
        return ControlSnapshot(self._as_came, snapshot.events, snapshot.beat_points)
