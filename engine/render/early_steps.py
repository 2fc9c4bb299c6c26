"""When a hop is stepped early, so that an onset between two hops is seen at once.

State is a value. So a hop can be stepped from the state before it with the newest sound, shown, and stepped again as usual once its
sound is complete: the frames of the hops are the same with and without early steps. An onset is stepped early as soon as it is
detected, and once more when it has risen, since a model hears little of an attack that has just begun.
"""

from __future__ import annotations

from collections import deque

from engine.audio.features.audio_features import AudioFeatures
from engine.audio.features.onsets import RISE_S
from engine.model.card import ModelCard
from engine.render.pacing import early_step_fits

_TIMED_STEPS = 16
"""The slowest of so many steps counts."""


class EarlySteps:
    """Decides from the sound and from the durations of the steps; takes times as they are given."""

    def __init__(self, card: ModelCard) -> None:
        self._rate_hz, self._hop_samples = card.sample_rate_hz, card.hop_samples
        self._steps_s: deque[float] = deque(maxlen=_TIMED_STEPS)
        self._onsets = 0
        self._risen_at: int | None = None
        """The sample at which the newest onset has risen; None once that was seen to."""
        self._taken = 0

    def stepped(self, step_s: float, heard: AudioFeatures) -> None:
        """Take note that a hop was stepped in `step_s`, with the onsets that it has `heard`."""
        self._steps_s.append(step_s)
        self._taken = 0
        self._see(heard)
        if self._risen_at is not None and self._risen_at <= heard.end_sample:
            self._risen_at = None

    def due(self, heard: AudioFeatures, index: int) -> bool:
        """Return whether hop `index`, the next one, is stepped now with the sound that was `heard` so far."""
        sample = heard.end_sample
        is_new = self._see(heard)
        # An onset that is heard late has risen by then, and one step shows it whole.
        is_risen = self._risen_at is not None and sample >= self._risen_at
        if is_risen:
            self._risen_at = None
        is_asked = is_new or is_risen
        left_samples = (index + 1) * self._hop_samples - sample
        if not is_asked or not self._steps_s or not 0 < left_samples < self._hop_samples:
            return False
        hop_s, left_s = self._hop_samples / self._rate_hz, left_samples / self._rate_hz
        if not early_step_fits(max(self._steps_s), hop_s, left_s, self._taken):
            return False
        self._taken += 1
        return True

    def _see(self, heard: AudioFeatures) -> bool:
        """Return whether there is an onset that was not seen before."""
        is_new, self._onsets = heard.onsets > self._onsets, heard.onsets
        if is_new:
            self._risen_at = heard.end_sample + round((RISE_S - heard.onset_age_s) * self._rate_hz)
        return is_new
