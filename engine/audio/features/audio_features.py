"""What is heard of a show's rhythm at one moment: how loud it is, the newest hit, and where in the bar it stands."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

NEVER_S = 1e9
"""Age of an onset where there was none."""
LEAST_ONSET = 1 / 256
"""An envelope below this is 0, so that a frame comes to rest."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AudioFeatures:
    """A moment of the sound, `end_sample` samples after its beginning, at the model's rate."""

    end_sample: int = 0
    level: float = 0.0
    """Loudness of the newest milliseconds: 0 silence, 1 as loud as the loudest of the last seconds."""
    low: float = 0.0
    """The same of the bass, the middle and the treble alone."""
    mid: float = 0.0
    high: float = 0.0
    onsets: int = 0
    """Onsets since the beginning."""
    onset_strength: float = 0.0
    """How strong the newest onset was, 0 to 1."""
    onset_age_s: float = NEVER_S
    beats: float = 0.0
    """Beats since the beginning; its fraction is the place between two beats."""
    beats_a_bar: int = 4
    tempo_bpm: float = 0.0
    """0 while no tempo is known."""
    certainty: float = 0.0
    """How sure the tempo is, 0 to 1; a tapped or given tempo is sure."""

    @property
    def beat_phase(self) -> float:
        """Place between two beats, from 0 up to 1."""
        return self.beats % 1.0

    @property
    def bar_phase(self) -> float:
        """Place in the bar, from 0 up to 1."""
        return self.beats / self.beats_a_bar % 1.0

    def onset_envelope(self, decay_ms: float) -> float:
        """Return the decaying strength of the newest onset, 0 to 1: a third is left after `decay_ms`, 0 once it cannot be seen."""
        left = self.onset_strength * math.exp(-1e3 * self.onset_age_s / decay_ms)
        return left if left >= LEAST_ONSET else 0.0


SILENCE = AudioFeatures()


def ahead(audio_features: AudioFeatures, seconds: float) -> AudioFeatures:
    """Return `pulse` as it will be in so many seconds, if nothing new is heard: the beat goes on, levels stay."""
    if seconds <= 0.0:
        return audio_features
    return replace(
        audio_features,
        onset_age_s=audio_features.onset_age_s + seconds,
        beats=audio_features.beats + seconds * audio_features.tempo_bpm / 60.0,
    )
