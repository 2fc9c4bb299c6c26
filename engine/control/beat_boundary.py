"""The beginning of the next beat or bar, for what must not happen before it: resets and scenes."""

from __future__ import annotations

import math
from types import MappingProxyType

from engine.audio.features.audio_features import SILENCE, AudioFeatures

QUANTISE_CHOICES = ("off", "beat", "bar", "4 bars")
BARS_BY_CHOICE = MappingProxyType({2: 1, 3: 4})
"""How many bars are between two boundaries, by the number of the choice."""


class BeatBoundaries:
    """Tells at each hop whether a beat or a bar has begun since the hop before."""

    def __init__(self) -> None:
        self._before, self._now = SILENCE, SILENCE

    def advance(self, audio_features: AudioFeatures) -> None:
        """Go on to the next hop, whose features at its end these are."""
        self._before, self._now = self._now, audio_features

    def is_passed(self, beats: int) -> bool:
        """Return whether a multiple of `beats` was passed in this hop. Without a tempo there is nothing to wait for.

        Beats that jump back pass none.
        """
        if self._now.tempo_bpm <= 0.0:
            return True
        return math.floor(self._now.beats / beats) > math.floor(self._before.beats / beats)

    def is_bar(self, bars: int = 1) -> bool:
        """Return whether a bar has begun in this hop: each, or every so many."""
        return self.is_passed(bars * self._now.beats_a_bar)

    def is_chosen(self, choice: int) -> bool:
        """Return whether the boundary of a choice of the parameter `quantise` was passed; "off" is passed at every hop."""
        if choice in BARS_BY_CHOICE:
            return self.is_bar(BARS_BY_CHOICE[choice])
        return not choice or self.is_passed(1)
