"""Resets that wait for the bar."""

from __future__ import annotations

import math
from collections.abc import Mapping

from engine.audio.features.audio_features import AudioFeatures
from engine.control.parameter import Value


class BarReset:
    """Counts the resets that `reset_on_bar` has brought about: each at the first hop of the bar after it was asked for.

    The count is added to that of `reset`, which the session understands. Several wishes in one bar are one reset.
    """

    def __init__(self) -> None:
        self._asked = 0
        self._is_due = False
        self._bar = 0
        self._resets = 0

    def count(self, values: Mapping[str, Value], audio_features: AudioFeatures) -> int:
        """Return the resets so far; to be called once a hop. Where no tempo is known, there is nothing to wait for."""
        asked = int(values.get("reset_on_bar", 0))
        bar = math.floor(audio_features.beats / audio_features.beats_a_bar)
        begins, self._bar = bar > self._bar, bar
        self._is_due = self._is_due or asked != self._asked
        self._asked = asked
        if self._is_due and (begins or audio_features.tempo_bpm <= 0.0):
            self._is_due = False
            self._resets += 1
        return self._resets
