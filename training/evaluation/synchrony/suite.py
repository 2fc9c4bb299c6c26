"""Every measure of synchrony on films and their references."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.core.counted import counted
from engine.core.errors import TrainingError
from training.evaluation.metrics.synchrony import LoudnessScale
from training.evaluation.synchrony.align_sync import ALIGN_SYNC, Similarity, align_sync
from training.evaluation.synchrony.classifier import SyncClassifier
from training.evaluation.synchrony.classifier_figures import (
    ACCURACY,
    REL_SYNC,
    SCORE,
    ClassifierFigures,
    FilmClassification,
    classify,
    length_notices,
    rel_sync,
)
from training.evaluation.synchrony.figures import Figure, mean_of_known
from training.evaluation.synchrony.film import Film, read_film
from training.evaluation.synchrony.peak_figures import (
    AV_ALIGN,
    LOUDNESS_MOTION,
    av_align_figure,
    loudness_motion,
    tolerance_notices,
)

LEAST_PEAK_FRAMES = 3
"""A frame between two others."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SuiteOptions:
    """What is measured, and how often the sound is shuffled for a floor."""

    fps: int | None = None
    scale: LoudnessScale = "db"
    shifts: int = 40
    similarity: Similarity | None = None
    """Of images and sounds, for AlignSync."""


@dataclass(frozen=True, slots=True)
class MeasuredFilm:
    """One film: figures by the measure's name, and what the classifier says beside its score."""

    path: Path
    film: Film
    figures: Mapping[str, Figure]
    classified: ClassifierFigures | None = None
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Measurement:
    """All films, and the real ones that belong to them: none, one for all, or one for each."""

    films: Sequence[MeasuredFilm]
    references: Sequence[MeasuredFilm] = ()
    classifier: str = ""

    def labels(self) -> list[str]:
        """Return the names of the measures, in the order of the tables."""
        return list(dict.fromkeys(label for film in (*self.films, *self.references) for label in film.figures))

    def mean(self, label: str) -> float:
        """Return the mean of a measure over the films for which it is defined."""
        return mean_of_known([film.figures[label].value for film in self.films if label in film.figures])


def measure_films(
    paths: Sequence[Path],
    references: Sequence[Path],
    classifier: SyncClassifier | None,
    options: SuiteOptions,
    progress: Callable[[int], object] = lambda _: None,
) -> Measurement:
    """Measure films, of which film i belongs to reference i, or all to the only one.

    Raises MediaError for a file that cannot be read, TrainingError for one that is too short or too slow for the classifier.
    """
    measured, real = list[MeasuredFilm](), list[MeasuredFilm]()
    beside: FilmClassification | None = None
    for number, path in enumerate(paths):
        if number < len(references):
            # Forgotten after its film: the original's classifier keeps the frames, which are large.
            reference, beside = _measured(references[number], classifier, options, None)
            real.append(reference)
            progress(1)
        measured.append(_measured(path, classifier, options, beside)[0])
        progress(1)
    return Measurement(measured, real, classifier.name if classifier else "")


def figures_without_classifier(film: Film, options: SuiteOptions) -> dict[str, Figure]:
    """Return the figures that need no training, of a film of at least three frames."""
    figures = {LOUDNESS_MOTION: loudness_motion(film, options.scale, options.shifts)}
    return figures | {label: av_align_figure(film, variant, options.shifts) for variant, label in AV_ALIGN.items()}


def measure_film(
    film: Film,
    classification: FilmClassification | None,
    options: SuiteOptions,
    reference: FilmClassification | None = None,
) -> MeasuredFilm:
    """Measure one film, with a classifier where it has been classified, and beside its reference where there is one.

    Raises TrainingError for a film of fewer than three frames, in which motion has no peak.
    """
    if film.frames < LEAST_PEAK_FRAMES:
        raise TrainingError(
            f"{film.path} has {counted(film.frames, 'frame')} with sound; at least {LEAST_PEAK_FRAMES} were expected: give a longer film."
        )
    figures, notices = (
        figures_without_classifier(film, options),
        [*film.notices, *tolerance_notices(film, options.scale)],
    )
    if classification is None:
        return MeasuredFilm(film.path, film, figures, None, tuple(notices))
    classified = classification.figures()
    figures[SCORE] = classified.score
    if reference is not None:
        figures[REL_SYNC] = rel_sync(classification, reference)
        if options.similarity is not None:
            figures[ALIGN_SYNC] = align_sync(classification, reference, options.similarity)
        notices += length_notices(film, reference.film)
    figures[ACCURACY] = Figure(value=classified.accuracy, floor_mean=classified.accuracy_floor)
    return MeasuredFilm(film.path, film, figures, classified, (*notices, *classified.notices))


def _measured(
    path: Path, classifier: SyncClassifier | None, options: SuiteOptions, reference: FilmClassification | None
) -> tuple[MeasuredFilm, FilmClassification | None]:
    film = read_film(path, options.fps)
    classification = classify(classifier, film) if classifier else None
    return measure_film(film, classification, options, reference), classification
