"""Audio features of one moment: level, onset, beat phase, bar phase, tempo."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

NEVER_S = 1e9
"""Age of an onset where there was none."""
LEAST_ONSET = 1 / 256
"""An envelope below this is 0, so that a frame comes to rest."""
_NO_INPUTS: Mapping[str, AudioFeatures] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True, slots=True)
class AudioFeatures:
    """The features of the sound up to `end_sample`, counted at the model's rate."""

    end_sample: int = 0
    level: float = 0.0
    """Level of the newest milliseconds: 0 is silence, 1 the peak of the last seconds."""
    low: float = 0.0
    """The level of the bass, the mid range and the treble."""
    mid: float = 0.0
    high: float = 0.0
    onsets: int = 0
    """Onsets since the beginning."""
    onset_strength: float = 0.0
    """How strong the newest onset was, 0 to 1."""
    onset_age_s: float = NEVER_S
    beats: float = 0.0
    """Beats since the start; the fraction is the beat phase."""
    beats_a_bar: int = 4
    tempo_bpm: float = 0.0
    """0 while no tempo is known."""
    certainty: float = 0.0
    """Confidence of the tempo, 0 to 1; 1 for a tapped or given tempo."""
    low_rms: float = 0.0
    """RMS of the bass, the mid range and the treble re full scale, for meters: not relative to a peak."""
    mid_rms: float = 0.0
    high_rms: float = 0.0
    inputs: Mapping[str, AudioFeatures] = field(default_factory=lambda: _NO_INPUTS)
    """The features of each named input, by its name."""

    @property
    def beat_phase(self) -> float:
        """Position between two beats, from 0 up to 1."""
        return self.beats % 1.0

    @property
    def bar_phase(self) -> float:
        """Position in the bar, from 0 up to 1."""
        return self.beats / self.beats_a_bar % 1.0

    def onset_envelope(self, decay_ms: float) -> float:
        """Return the decaying strength of the newest onset, 0 to 1: a third is left after `decay_ms`, 0 once it cannot be seen."""
        left = self.onset_strength * math.exp(-1e3 * self.onset_age_s / decay_ms)
        return left if left >= LEAST_ONSET else 0.0


SILENCE = AudioFeatures()


def extrapolate(audio_features: AudioFeatures, seconds: float) -> AudioFeatures:
    """Return the features `seconds` later without new sound: the beat goes on, levels stay."""
    if seconds <= 0.0:
        return audio_features
    later = replace(
        audio_features,
        onset_age_s=audio_features.onset_age_s + seconds,
        beats=audio_features.beats + seconds * audio_features.tempo_bpm / 60.0,
    )
    if not audio_features.inputs:
        return later
    return replace(later, inputs={name: extrapolate(one, seconds) for name, one in audio_features.inputs.items()})
