"""What a classifier says of a film: AVSync score, RelSync and sync accuracy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import TrainingError
from training.data.clip_sound import read_sound
from training.data.frames import file_frame_rate, frames_with_sound, read_whole_frames
from training.evaluation.synchrony.classifier import EncodedFilm, SyncClassifier
from training.evaluation.synchrony.figures import LARGEST_OFFSET_S, Figure, offsets_within
from training.evaluation.synchrony.film import DIFFERENCE_S, SLACK, Film

# W stretches of the film, O offsets

SCORE, REL_SYNC, ACCURACY = "AVSync score", "RelSync", "sync accuracy"
STRETCHES_A_WINDOW = 4
MOST_STRETCHES = 120
"""Spread over the film; more would cost time and say the same."""
ELSEWHERE_S = 1.0
"""Sound from at least so far away, and at least a stretch away, is that of another moment."""
MOST_EXCHANGES = 40
LEAST_SHARE_FAR = 0.5
"""Of the stretches, those that an exchange has to give the sound of another moment: fewer say nothing of the film."""
LOOSE_S = 0.2
"""The original's tolerance for a right answer. It chooses among 31 offsets up to 0.6 s, of which 35.5 % are right by chance."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassifierFigures:
    """Everything that the classifier says of one film."""

    score: Figure
    """Mean over the film's stretches."""
    preferred: tuple[float, ...] = ()
    """For each offset of the curve, the share of stretches with a higher score in time than at this offset; a half by chance."""
    accuracy: float = math.nan
    """Share of the stretches whose best offset is 0, or next to it."""
    accuracy_floor: float = math.nan
    loose_accuracy: float = math.nan
    """The same within 0.2 s: the original's tolerance, but among the offsets up to 0.5 s, so more is right by chance (44 % of 25 offsets
    0.04 s apart) and the original's published 41 % is another figure."""
    loose_accuracy_floor: float = math.nan
    stretches: int = 0
    in_time_W: tuple[float, ...] = ()
    """Scores in time."""
    notices: tuple[str, ...] = ()


UNDEFINED = Figure(value=math.nan)


class FilmClassification:
    """One film, encoded once, with what is asked of it."""

    def __init__(
        self, classifier: SyncClassifier, film: Film, encoded: EncodedFilm, sound_from: Path | None = None
    ) -> None:
        self.classifier, self.film, self.encoded = classifier, film, encoded
        self.sound_from = sound_from or film.path
        self.starts_s, self._has_offsets = possible_starts_s(film.duration_s, classifier.window_s, classifier.fps)

    def figures(self) -> ClassifierFigures:
        """Return scores at every offset. Undefined for silence and for a film that is shorter than a stretch; without offsets for one
        that has no room for them."""
        window_s = self.classifier.window_s
        has = f"{self.film.path.name} has {self.film.duration_s:.1f} s; {self.classifier.name} needs"
        if not self.starts_s:
            return ClassifierFigures(
                score=UNDEFINED, notices=(f"{has} {window_s:.1f} s, so its figures are undefined.",)
            )
        if self.film.is_silent:
            return ClassifierFigures(score=UNDEFINED)
        if not self._has_offsets:
            in_time_W = self._scores([0.0])[:, 0]
            needed_s = window_s + 2 * LARGEST_OFFSET_S
            return ClassifierFigures(
                score=Figure.of(float(in_time_W.mean()), (), np.zeros(0), self._shuffled()),
                stretches=len(self.starts_s),
                in_time_W=tuple(in_time_W.tolist()),
                notices=(f"{has} {needed_s:.1f} s for offsets of the sound, so {ACCURACY} is undefined.",),
            )
        offsets_s = offsets_within(self.classifier.offset_step_s)
        scores_WO = self._scores(offsets_s)
        in_time_W = scores_WO[:, offsets_s.index(0.0)]
        best_s = np.abs(np.array(offsets_s)[scores_WO.argmax(axis=1)])
        one_step, loose = (np.abs(offsets_s) < reach_s for reach_s in self._tolerances_s())
        return ClassifierFigures(
            score=Figure.of(float(in_time_W.mean()), offsets_s, scores_WO.mean(axis=0), self._shuffled()),
            preferred=tuple(_preferred(in_time_W, scores_WO).tolist()),
            accuracy=float((best_s < self._tolerances_s()[0]).mean()),
            accuracy_floor=float(one_step.mean()),
            loose_accuracy=float((best_s < self._tolerances_s()[1]).mean()),
            loose_accuracy_floor=float(loose.mean()),
            stretches=len(self.starts_s),
            in_time_W=tuple(in_time_W.tolist()),
        )

    def _tolerances_s(self) -> tuple[float, float]:
        half = 0.5 * self.classifier.offset_step_s
        return self.classifier.offset_step_s + half, LOOSE_S + half

    def _scores(self, offsets_s: list[float]) -> NDArray[np.float64]:
        """Return the scores [W, O] of each stretch of frames with the sound from later by each offset."""
        pairs = [(start_s, start_s + offset_s) for start_s in self.starts_s for offset_s in offsets_s]
        scores = self.encoded.scores([frames_s for frames_s, _ in pairs], [sound_s for _, sound_s in pairs])
        return scores.reshape(len(self.starts_s), len(offsets_s))

    def _shuffled(self) -> NDArray[np.float64]:
        """Return the mean scores of the stretches with the sound of other moments, a value for each way to exchange them."""
        pairs = exchanges(self.starts_s, self.classifier.window_s)
        return np.array([self.encoded.scores(frames_s, sound_s).mean() for frames_s, sound_s in pairs])


def exchanges(starts_s: Sequence[float], window_s: float) -> list[tuple[list[float], list[float]]]:
    """Return ways to give stretches the sound of other moments: where the frames begin, and where the sound of each does.

    Each turns the stretches round by another number, from 1 to all but one of them. Empty for a film that is too short.
    """
    starts, elsewhere_s = np.array(starts_s), max(ELSEWHERE_S, window_s) - 1e-6
    usable = [
        (starts[far].tolist(), others[far].tolist())
        for others in (np.roll(starts, turn) for turn in range(1, len(starts)))
        if (far := np.abs(others - starts) >= elsewhere_s).mean() >= LEAST_SHARE_FAR
    ]
    chosen = np.linspace(0, len(usable) - 1, min(len(usable), MOST_EXCHANGES)).round().astype(int)
    return [usable[index] for index in chosen.tolist()]


def possible_starts_s(duration_s: float, window_s: float, fps: int) -> tuple[list[float], bool]:
    """Return where stretches begin, and whether there is room for every offset around them.

    A film that has no room for offsets, as a rendered clip that is as long as a stretch, has its stretches without any. Empty for
    a film that is shorter than a stretch.
    """
    with_room = stretch_starts_s(duration_s, window_s, fps)
    return (with_room, True) if with_room else (stretch_starts_s(duration_s, window_s, fps, 0.0), False)


def stretch_starts_s(duration_s: float, window_s: float, fps: int, margin_s: float = LARGEST_OFFSET_S) -> list[float]:
    """Return the frames' times at which stretches begin, with room for every offset before and after them.

    Empty for a film that is too short.
    """
    first, last = math.ceil(margin_s * fps), math.floor((duration_s - window_s - margin_s) * fps + 1e-6)
    if last < first:
        return []
    step = max(1, round(window_s * fps / STRETCHES_A_WINDOW))
    starts = np.arange(first, last + 1, step)
    chosen = np.linspace(0, len(starts) - 1, min(len(starts), MOST_STRETCHES)).round().astype(int)
    return [start / fps for start in starts[chosen].tolist()]


def classify(classifier: SyncClassifier, film: Film, sound_from: Path | None = None) -> FilmClassification:
    """Read and encode a film for a classifier, with its own sound or that of another film.

    Raises TrainingError for a film of a lower rate than the classifier was trained at.
    """
    own_fps = file_frame_rate(film.path)
    if own_fps < SLACK * classifier.fps:
        raise TrainingError(
            f"{film.path} has {own_fps:g} frames a second and {classifier.name} was trained at {classifier.fps}; use a film of that rate, or "
            f"train a classifier with --fps {max(1, round(own_fps))}."
        )
    return FilmClassification(classifier, film, classifier.encode(*read_for(classifier, film, sound_from)), sound_from)


def read_for(
    classifier: SyncClassifier, film: Film, sound_from: Path | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return frames [T, side, side, 3] and sound [S] as a classifier takes them, as long as the film."""
    sound_S = read_sound(sound_from or film.path, classifier.sample_rate_hz)
    most = min(
        frames_with_sound(len(sound_S), classifier.sample_rate_hz, classifier.fps),
        round(film.duration_s * classifier.fps),
    )
    frames_THWC = np.zeros((most, classifier.side, classifier.side, 3), np.uint8)
    count = 0
    read = read_whole_frames(film.path, classifier.fps, classifier.side)
    for count, frame_HWC in zip(range(1, most + 1), read, strict=False):
        frames_THWC[count - 1] = frame_HWC
    read.close()
    return frames_THWC[:count], sound_S


def rel_sync(film: FilmClassification, reference: FilmClassification) -> Figure:
    """Return RelSync of a film beside its reference, each with its own sound; its floor is that with sound of other moments.

    RelSync is exp(s) / (exp(s) + exp(s of the reference)), a half for the reference itself (Zhang et al. 2024, where both have one sound);
    here it is the mean over the stretches that both have. Undefined where one is too short or silent.
    """
    window_s = film.classifier.window_s
    common_s = min(film.film.duration_s, reference.film.duration_s)
    starts_s, _ = possible_starts_s(common_s, window_s, film.classifier.fps)
    if not starts_s or film.film.is_silent or reference.film.is_silent:
        return UNDEFINED

    def beside_reference(frames_s: list[float], sound_s: list[float]) -> float:
        own, real = film.encoded.scores(frames_s, sound_s), reference.encoded.scores(frames_s, frames_s)
        return float(relative_scores(own, real).mean())

    floor = np.array([beside_reference(*pair) for pair in exchanges(starts_s, window_s)])
    return Figure.of(beside_reference(starts_s, starts_s), (), np.zeros(0), floor)


def length_notices(film: Film, reference: Film) -> list[str]:
    """Return a sentence where a film and its reference have different lengths."""
    if abs(film.duration_s - reference.duration_s) <= DIFFERENCE_S:
        return []
    return [
        f"{film.path.name} has {film.duration_s:.1f} s and its reference {reference.path.name} {reference.duration_s:.1f} s; "
        f"{REL_SYNC} compares the first {min(film.duration_s, reference.duration_s):.1f} s."
    ]


def relative_scores(scores: NDArray[np.float64], of_reference: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the softmax of scores beside those of the reference, for the scores: exp(s) / (exp(s) + exp(s of the reference))."""
    return 0.5 + 0.5 * np.tanh(0.5 * (scores - of_reference))


def _preferred(in_time_W: NDArray[np.float64], scores_WO: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of stretches that score higher in time than at each offset [O]; equal scores count half."""
    better = in_time_W[:, None] > scores_WO
    return (better + 0.5 * (in_time_W[:, None] == scores_WO)).mean(axis=0)
