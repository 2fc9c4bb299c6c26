"""Inception Score of rendered clips (Salimans et al., arXiv 1606.03498): are they surely of a class, and of many classes?

TempoTokens takes the classes of C3D, trained on UCF-101, of clips; such a network is not here. A function that the user names gives the
probabilities of its classes, and the measure has that function's name. Without one, MobileNetV2's classes of frames stand in, and the name
says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from engine.core.errors import TrainingError
from training.core.named_functions import called, numbers
from training.evaluation.frame_metrics import Features
from training.evaluation.metrics.extractors import Extractors
from training.evaluation.renders.clip_pairs import Frames
from training.evaluation.renders.measures import Measure, inception_score

# T frames of a clip, H W rows and columns, N samples, M classes

IS = "IS"
SUM_TOLERANCE = 1e-3
"""Probabilities in float16 add up to 1 no better."""

Probabilities = NDArray[np.float64]
ClassFunction = Callable[[Frames], object]
"""Takes the RGB frames [T, H, W, 3] of a clip and returns the probabilities of its classes [M], or several samples of them [N, M]."""


@dataclass(frozen=True, slots=True)
class _Predictions:
    rendered: list[Probabilities] = field(default_factory=list[Probabilities])
    real: list[Probabilities] = field(default_factory=list[Probabilities])


class ClassScores:
    """Collects class probabilities of clip after clip."""

    def __init__(self, extractors: Extractors, function: ClassFunction | None = None, function_name: str = "") -> None:
        self._extractors, self._function = extractors, function
        self._label = f"{IS} ({function_name})"
        self._found: dict[str, _Predictions] = {}

    def add(self, rendered: Features, real: Features) -> None:
        """Take one clip. Raises TrainingError for a function that returns something else than probabilities, always of as many classes."""
        for network in self._extractors.frames:
            if network.classes is not None:
                label = network.label
                both = (_softmax(network.classes, side.by_network[label]) for side in (rendered, real))
                self._take(network.class_label, *both)
        if self._function is not None:
            both = (
                probabilities(self._label, called(self._label, self._function, side.frames_THWC))
                for side in (rendered, real)
            )
            self._take(self._label, *both)

    def measures(self) -> list[Measure]:
        """Return the scores of all clips taken."""
        return [
            Measure(
                name=label,
                better="higher",
                value=inception_score(np.concatenate(found.rendered)),
                floor=1.0,
                ceiling=inception_score(np.concatenate(found.real)),
                clips=len(found.rendered),
                floor_is="the same class for all",
                ceiling_is="the real clips",
            )
            for label, found in self._found.items()
        ]

    def _take(self, label: str, rendered: Probabilities, real: Probabilities) -> None:
        found = self._found.setdefault(label, _Predictions())
        for side, taken in ((found.rendered, rendered), (found.real, real)):
            first = (found.rendered or [rendered])[0]
            if taken.shape[1] != first.shape[1]:
                raise TrainingError(
                    f"{label} returned {taken.shape[1]} classes after {first.shape[1]}; always as many were expected."
                )
            side.append(taken)


def probabilities(name: str, returned: object) -> Probabilities:
    """Return what a function gave as samples [N, M]. Raises TrainingError where they are no probabilities of at least two classes."""
    found = np.atleast_2d(numbers(name, returned))
    if found.ndim != 2 or found.shape[0] < 1 or found.shape[1] < 2:
        raise TrainingError(
            f"{name} returned values of shape {list(found.shape)} for a clip; probabilities of classes were expected, [classes] or [samples, classes]."
        )
    sums = found.sum(axis=1)
    if not np.isfinite(found).all() or (found < 0.0).any() or (np.abs(sums - 1.0) > SUM_TOLERANCE).any():
        raise TrainingError(
            f"{name} returned values from {found.min():.3g} to {found.max():.3g} that add up to {sums[0]:.3g}; probabilities, which add up to 1, "
            "were expected: apply a softmax."
        )
    return found / sums[:, None]


def _softmax(classes: torch.nn.Module, features_TD: torch.Tensor) -> Probabilities:
    device = next(classes.parameters()).device
    with torch.inference_mode():
        return classes(features_TD.to(device)).double().softmax(dim=1).cpu().numpy()
