"""The synchrony suite on rendered clips: the floor is the sound of another clip, the ceiling the real clip."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from training.evaluation.renders.clip_pairs import ClipPair, with_sound_of
from training.evaluation.renders.measures import Measure
from training.evaluation.synchrony.align_sync import ALIGN_SYNC, align_sync
from training.evaluation.synchrony.classifier import SyncClassifier
from training.evaluation.synchrony.classifier_figures import (
    ACCURACY,
    REL_SYNC,
    FilmClassification,
    classify,
    rel_sync,
)
from training.evaluation.synchrony.figures import Figure
from training.evaluation.synchrony.suite import LEAST_PEAK_FRAMES, SuiteOptions, measure_film

OTHER_SOUND, OTHER_MOMENTS = "the sound of another clip", "its sound from other moments"


@dataclass(frozen=True, slots=True)
class _Values:
    """Of each clip; NaN where undefined."""

    rendered: list[float] = field(default_factory=list[float])
    floor: list[float] = field(default_factory=list[float])
    real: list[float] = field(default_factory=list[float])


class ClipSynchrony:
    """Measures clip after clip."""

    def __init__(self, classifier: SyncClassifier | None, options: SuiteOptions) -> None:
        self._classifier, self._options = classifier, options
        self._values: dict[str, _Values] = {}
        self._floor_is = OTHER_MOMENTS
        self.notices: list[str] = []

    def add(self, pair: ClipPair, other: ClipPair | None) -> None:
        """Take one clip, and the one whose sound it gets for the floor; without one its own sound from other moments serves.

        Raises MediaError and TrainingError as the suite.
        """
        classifier, options = self._classifier, self._options
        real_class = classify(classifier, pair.real) if classifier else None
        real = dict(measure_film(pair.real, real_class, options).figures)
        if real_class is not None:
            real[REL_SYNC] = rel_sync(real_class, real_class)
            if options.similarity is not None:
                real[ALIGN_SYNC] = align_sync(real_class, real_class, options.similarity)
        own_class = classify(classifier, pair.film) if classifier else None
        measured = measure_film(pair.film, own_class, options, real_class)
        self.notices += measured.notices
        if other is None:
            floor = {label: figure.floor_mean for label, figure in measured.figures.items()}
        else:
            self._floor_is = OTHER_SOUND
            floor = self._with_sound_of(pair, other, real_class)
        # A share of right answers has no floor of another sound, and a clip of one stretch has no offsets to choose from.
        for label in measured.figures:
            if label != ACCURACY:
                values = self._values.setdefault(label, _Values())
                values.rendered.append(measured.figures[label].value)
                values.floor.append(floor.get(label, math.nan))
                values.real.append(real[label].value)

    def _with_sound_of(
        self, pair: ClipPair, other: ClipPair, real_class: FilmClassification | None
    ) -> Mapping[str, float]:
        film = with_sound_of(pair.film, other.film)
        if film.frames < LEAST_PEAK_FRAMES:
            return {}
        classifier = self._classifier
        classification = classify(classifier, film, other.film.path) if classifier else None
        figures: Mapping[str, Figure] = measure_film(film, classification, self._options, real_class).figures
        return {label: figure.value for label, figure in figures.items()}

    def measures(self) -> list[Measure]:
        """Return the means over the clips taken."""
        return [
            Measure.over_clips(
                label,
                values.rendered,
                values.floor,
                values.real,
                floor_is=self._floor_is,
                ceiling_is="the real clips",
            )
            for label, values in self._values.items()
        ]
