"""Every metric of rendered clips beside real ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from training.evaluation.frame_metrics import FrameMetrics
from training.evaluation.metrics.extractors import Extractors
from training.evaluation.renders.class_scores import ClassFunction, ClassScores
from training.evaluation.renders.clip_pairs import ClipPair, others, read_pair
from training.evaluation.renders.clip_synchrony import ClipSynchrony
from training.evaluation.renders.distances import Distances
from training.evaluation.renders.likenesses import Likeness, Likenesses
from training.evaluation.renders.measures import Measure
from training.evaluation.renders.missing import missing
from training.evaluation.synchrony.classifier import SyncClassifier
from training.evaluation.synchrony.suite import SuiteOptions


@dataclass(frozen=True, kw_only=True, slots=True)
class Networks:
    """What the user has to measure with."""

    extractors: Extractors = field(default_factory=Extractors)
    classifier: SyncClassifier | None = None
    likenesses: Sequence[Likeness] = ()
    classes: ClassFunction | None = None
    classes_name: str = ""


@dataclass(frozen=True, slots=True)
class RenderEvaluation:
    """The table, and what is to be said about it."""

    clips: Sequence[ClipPair]
    measures: Sequence[Measure]
    missing: Sequence[str]
    notices: Sequence[str]


def measure_renders(
    clips: Sequence[tuple[Path, Path, str]],
    networks: Networks,
    options: SuiteOptions,
    device: torch.device,
    progress: Callable[[int], object] = lambda _: None,
) -> RenderEvaluation:
    """Measure rendered clips, each with its real one and its label, which may be empty.

    Clips are decoded twice: films in a row, then their frames one clip after the other, so that memory holds one clip's frames.
    Raises MediaError for a file that cannot be read, TrainingError for one that a network does not take and for a function that
    returns something else than was asked for.
    """
    pairs = []
    for path, reference, label in clips:
        pairs.append(read_pair(path, reference, options.fps, label))
        progress(1)
    metrics = FrameMetrics(networks.extractors, device, lambda _: None)
    distances = Distances(networks.extractors, device)
    scores = ClassScores(networks.extractors, networks.classes, networks.classes_name)
    likenesses, synchrony = Likenesses(networks.likenesses), ClipSynchrony(networks.classifier, options)
    for pair, other in zip(pairs, others([pair.label for pair in pairs]), strict=True):
        beside = None if other is None else pairs[other]
        rendered, real = map(metrics.extract, pair.pixels_THWC())
        distances.add(rendered, real)
        scores.add(rendered, real)
        likenesses.add(pair, beside, rendered.frames_THWC, real.frames_THWC)
        synchrony.add(pair, beside)
        progress(1)
    measures = [
        *distances.measures(),
        *scores.measures(),
        *likenesses.measures(),
        *synchrony.measures(),
    ]
    notices = [*(notice for pair in pairs for notice in pair.notices()), *synchrony.notices]
    return RenderEvaluation(
        pairs, measures, missing([measure.name for measure in measures]), list(dict.fromkeys(notices))
    )
