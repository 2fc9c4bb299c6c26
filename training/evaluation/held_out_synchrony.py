"""The synchrony suite on the held-out part: each generator's frames between a floor and a ceiling.

Measured are the longest held-out sequences, as films with the sound that they were generated from. The floor is the same film with
its sound from other moments, the ceiling the clip's own frames with that sound. docs/synchrony.md defines the measures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.core.errors import TrainingError, UserError
from engine.core.small_files import read_bytes
from engine.core.structured import parse_json, structure
from training.data.video import Clip
from training.evaluation.metrics.synchrony import LEAST_FRAMES
from training.evaluation.rollouts import Frames
from training.evaluation.sequences import Rollout, SequencePlan
from training.evaluation.synchrony.figures import Figure, defined, mean_of_known
from training.evaluation.synchrony.film import film_of_frames
from training.evaluation.synchrony.peak_figures import AV_ALIGN, LOUDNESS_MOTION
from training.evaluation.synchrony.suite import SuiteOptions, figures_without_classifier

CLIP = "the clip itself"
PHRASED = (AV_ALIGN["v2025"], LOUDNESS_MOTION)
RECORD_KEY, MOST_BYTES = "synchrony_suite", 64_000_000
LEAST_RISE = 0.05
"""A clip that is no farther above its own floor does not go with its sound, by this measure."""
Figures = Mapping[str, Figure]


@dataclass(frozen=True, slots=True)
class SynchronyRow:
    """Means over the films for which a measure is defined, by its name; None where it is for none."""

    name: str
    films: int
    frames: int
    """Of all films together."""
    defined_frames: dict[str, int]
    """Of the films for which a measure is defined."""
    values: dict[str, float | None]
    floors: dict[str, float | None]


class HeldOutSynchrony:
    """Measures the longest held-out sequences of one clip."""

    def __init__(self, clip: Clip) -> None:
        self.clip = clip
        self.measured: dict[str, list[tuple[int, Figures]]] = {CLIP: []}
        """The frames and figures of each film, by the name of its row."""
        self._seen: set[Rollout] = set()

    def add(self, name: str, plan: SequencePlan, frames_of: Mapping[Rollout, Frames]) -> None:
        """Measure what a generator made of a held-out plan, and the clip's own frames once."""
        for rollout in plan.rollouts[max(plan.rollouts)] if plan.rollouts else ():
            frames_THWC = frames_of[rollout]
            if len(frames_THWC) < LEAST_FRAMES:
                continue
            if rollout not in self._seen:
                self._seen.add(rollout)
                self._measure(CLIP, plan, rollout, plan.part.frames(rollout.start, len(frames_THWC)))
            self._measure(name, plan, rollout, frames_THWC)

    def _measure(self, name: str, plan: SequencePlan, rollout: Rollout, frames_THWC: Frames) -> None:
        form, first = self.clip.format, plan.part.offset + rollout.start
        hop = form.sample_rate_hz // form.fps
        sound_S = np.asarray(self.clip.sound_S[first * hop : (first + len(frames_THWC)) * hop])
        film = film_of_frames(name, frames_THWC, sound_S, form.sample_rate_hz, form.fps)
        self.measured.setdefault(name, []).append((film.frames, figures_without_classifier(film, SuiteOptions())))


def synchrony_rows(clips: Sequence[HeldOutSynchrony]) -> list[SynchronyRow]:
    """Return a row for each generator and the clip's own last, over all clips; nothing where every sequence was too short."""
    names = dict.fromkeys(name for clip in clips for name in clip.measured if name != CLIP)
    rows = [_row(name, [one for clip in clips for one in clip.measured.get(name, ())]) for name in (*names, CLIP)]
    return [row for row in rows if row.films]


def synchrony_phrase(rows: Sequence[SynchronyRow]) -> str:
    """Say how the first generator goes with the sound, by the measure that tells the clip best from its own floor."""
    if len(rows) < 2:
        return f"synchrony not measured: no held-out sequence has {LEAST_FRAMES} frames"
    model, clip = rows[0], rows[-1]
    rises = {label: _rise(clip, label) for label in PHRASED if model.values.get(label) is not None}
    label = max(rises, key=lambda each: rises[each], default="")
    if not label or rises[label] < LEAST_RISE:
        return (
            "synchrony not measured: the clip itself goes with its sound no better than with sound from other moments"
        )
    value, floor, ceiling = model.values[label], model.floors[label], clip.values[label]
    shuffled = "undefined" if floor is None else f"{floor:.2f}"
    figures = f"{label} {value:.2f} (with shuffled sound {shuffled}, {CLIP} {ceiling:.2f})"
    return f"in time with the sound: {figures}, on {model.defined_frames[label]} frames"


def suite_rows(record: Path) -> list[SynchronyRow]:
    """Return the rows that an evaluation has written into its evaluation.json; none where they cannot be read."""
    try:
        rows = parse_json(read_bytes(record, MOST_BYTES))[RECORD_KEY]
        return [structure(SynchronyRow, row, TrainingError) for row in rows]
    except (OSError, ValueError, KeyError, TypeError, UserError):
        # Of an earlier version, moved or damaged: nothing depends on it.
        return []


def _rise(row: SynchronyRow, label: str) -> float:
    value, floor = row.values.get(label), row.floors.get(label)
    return -1.0 if value is None or floor is None else value - floor


def _row(name: str, films: Sequence[tuple[int, Figures]]) -> SynchronyRow:
    labels = list(films[0][1]) if films else []
    return SynchronyRow(
        name,
        len(films),
        sum(count for count, _ in films),
        {
            label: sum(count for count, figures in films if defined(figures[label].value) is not None)
            for label in labels
        },
        {label: defined(mean_of_known([figures[label].value for _, figures in films])) for label in labels},
        {label: defined(mean_of_known([figures[label].floor_mean for _, figures in films])) for label in labels},
    )
