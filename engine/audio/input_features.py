"""The audio features of named inputs, beside those of the sound that the model gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.audio.features.analyser import FeatureAnalyser
from engine.audio.features.audio_features import AudioFeatures
from engine.audio.input_layout import InputLayout
from engine.audio.resample import Resampler
from engine.media.cleaning import SoundCleaner

# T audio samples, C channels

BATCH_S = 0.016
"""So much sound is analysed at a time, about a refresh of the display: blocks of a driver, one by one, would cost twice as much."""


class InputFeatures:
    """An analyser for each named input. The one that the model gets has been analysed already; the beat is its alone."""

    def __init__(self, layout: InputLayout, source_rate_hz: int, model_rate_hz: int) -> None:
        self._layout = layout
        self._batch_samples = round(BATCH_S * source_rate_hz)
        self._waiting: list[NDArray[np.float32]] = []
        self._waiting_samples = 0
        names = [name for name in layout.names if name != layout.model_input]
        self._cleaners = {name: SoundCleaner(source_rate_hz) for name in names}
        self._resamplers = {name: Resampler(source_rate_hz, model_rate_hz) for name in names}
        self._analysers = {name: FeatureAnalyser(model_rate_hz, follows_beat=False) for name in names}

    @property
    def onsets(self) -> int:
        """Onsets of these inputs since the beginning, together."""
        return sum(analyser.latest().onsets for analyser in self._analysers.values())

    @property
    def onset_strength(self) -> float:
        """The strengths of their newest onsets, together."""
        return sum(analyser.latest().onset_strength for analyser in self._analysers.values())

    def feed(self, sound_TC: NDArray[np.float32], *, at_once: bool) -> None:
        """Take the next block of the source, and analyse what has come, `at_once` or once there is enough."""
        if not self._analysers:
            return
        self._waiting.append(sound_TC)
        self._waiting_samples += len(sound_TC)
        if at_once or self._waiting_samples >= self._batch_samples:
            self._analyse()

    def notices(self) -> list[str]:
        """Return the notices since the last call: samples of an input that are no sound."""
        return [f"{name}: {line}" for name, cleaner in self._cleaners.items() for line in cleaner.notices()]

    def finish(self) -> None:
        """Analyse the rest, and what the resamplers hold back at the end of the sound."""
        self._analyse()
        for name, resampler in self._resamplers.items():
            self._cleaners[name].finish()
            self._analysers[name].feed(resampler.finish())

    def latest(self, of_model: AudioFeatures) -> AudioFeatures:
        """Return `of_model` with the latest features of each input; from any thread, without waiting."""
        return self._with_inputs(of_model, lambda analyser: analyser.latest())

    def at_sample(self, of_model: AudioFeatures, sample: int) -> AudioFeatures:
        """Return `of_model` with the features of each input at `sample`; see FeatureAnalyser."""
        return self._with_inputs(of_model, lambda analyser: analyser.at_sample(sample))

    def _analyse(self) -> None:
        if not self._waiting:
            return
        sound_TC = np.concatenate(self._waiting)
        self._waiting, self._waiting_samples = [], 0
        for name, resampler in self._resamplers.items():
            cleaned_T = self._cleaners[name].feed(sound_TC[:, self._layout.columns_of(name)])
            self._analysers[name].feed(resampler.feed(cleaned_T[:, None]))

    def _with_inputs(
        self, of_model: AudioFeatures, features: Callable[[FeatureAnalyser], AudioFeatures]
    ) -> AudioFeatures:
        if not self._layout.inputs:
            return of_model
        analysers = self._analysers
        inputs = {name: features(analysers[name]) if name in analysers else of_model for name in self._layout.names}
        return replace(of_model, inputs=inputs)
