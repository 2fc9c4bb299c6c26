"""Fréchet distances of rendered clips from real ones: FID, FVD, and what stands for them under its own name."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from training.evaluation.clip_features import one_frame_late
from training.evaluation.frame_metrics import Features, tensor_of
from training.evaluation.metrics.extractors import Extractors
from training.evaluation.metrics.frechet import LEAST, frechet_distance
from training.evaluation.metrics.video_features import POOLED_FRAMES, pooled_snippets
from training.evaluation.renders.clip_pairs import Frames
from training.evaluation.renders.measures import Measure

# T frames of a clip, D features, P samples of all clips

Side = Literal["rendered", "real", "late", "still"]
FLOOR_IS, CEILING_IS = "the first real frame, held", "the real clip, one frame late"


@dataclass(frozen=True, slots=True)
class _Samples:
    """Features [P, D] of all clips so far, by what they are of."""

    parts: dict[Side, list[Tensor]] = field(default_factory=dict[Side, list[Tensor]])

    def add(self, side: Side, samples: Tensor) -> None:
        self.parts.setdefault(side, []).append(samples)

    def distance(self, side: Side) -> float:
        """Return the distance from the real clips; NaN where there are fewer than two samples."""
        if side not in self.parts:
            return math.nan
        samples, real = torch.cat(self.parts[side]), torch.cat(self.parts["real"])
        return frechet_distance(samples, real) if len(real) >= LEAST else math.nan


class Distances:
    """Collects the features of clip after clip; all sets that are compared have as many samples.

    Frames are compared without the first one, which AVSyncD is given. FVD has one sample a clip, the entire clip.
    """

    def __init__(self, extractors: Extractors, device: torch.device) -> None:
        self._extractors, self._device = extractors, device
        self._samples: dict[str, _Samples] = {}

    def add(self, rendered: Features, real: Features) -> None:
        """Take one clip. Raises TrainingError for a TorchScript network that does not take it."""
        late = one_frame_late(np.arange(len(real.frames_THWC)))
        still = np.zeros(len(real.frames_THWC), np.int64)
        for frame_network in self._extractors.frames:
            own_TD, real_TD = (side.by_network[frame_network.label] for side in (rendered, real))
            sides: dict[Side, Tensor] = {
                "rendered": own_TD,
                "real": real_TD,
                "late": real_TD[late],
                "still": real_TD[still],
            }
            self._add(frame_network.label, sides, lambda features_TD: features_TD[1:])
            if len(own_TD) >= POOLED_FRAMES:
                self._add(frame_network.video_label, sides, pooled_snippets)
        for video in self._extractors.videos:
            clips: dict[Side, Frames] = {
                "rendered": rendered.frames_THWC,
                "real": real.frames_THWC,
                "late": real.frames_THWC[late],
                "still": real.frames_THWC[still],
            }
            for side, frames_THWC in clips.items():
                with torch.inference_mode():
                    found = video.whole(tensor_of(frames_THWC, self._device)).cpu()
                self._of(video.label).add(side, found)

    def measures(self) -> list[Measure]:
        """Return the distances of all clips taken."""
        return [
            Measure(
                name=label,
                better="lower",
                value=samples.distance("rendered"),
                floor=samples.distance("still"),
                ceiling=samples.distance("late"),
                clips=len(samples.parts["rendered"]),
                floor_is=FLOOR_IS,
                ceiling_is=CEILING_IS,
            )
            for label, samples in self._samples.items()
        ]

    def _add(self, label: str, sides: dict[Side, Tensor], sampled: Callable[[Tensor], Tensor]) -> None:
        for side, features_TD in sides.items():
            self._of(label).add(side, sampled(features_TD))

    def _of(self, label: str) -> _Samples:
        return self._samples.setdefault(label, _Samples())
