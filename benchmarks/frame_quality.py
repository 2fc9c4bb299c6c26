"""How like the real frames generated ones are: SSIM, and a learned distance where its weights are given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from training.evaluation.metrics.extractors import load_extractors
from training.losses.quality import SSIM, similarity

# N frames, H W rows and columns

PART = 32  # frames at a time


class Quality:
    """Called with generated and real frames [N, H, W, 3] in 8 bits; returns means by name."""

    def __init__(self, weights: Sequence[Path]) -> None:
        """Raises TrainingError for a file that is no known network."""
        self.distances = load_extractors(weights).distances

    @torch.no_grad()
    def __call__(self, generated_NHWC: NDArray[np.uint8], real_NHWC: NDArray[np.uint8]) -> dict[str, float]:
        sums: dict[str, float] = {}
        for first in range(0, len(real_NHWC), PART):
            fake, real = (
                torch.from_numpy(np.array(x[first : first + PART])).permute(0, 3, 1, 2).float() / 255.0
                for x in (generated_NHWC, real_NHWC)
            )
            measures = {SSIM: similarity, **{distance.label: distance for distance in self.distances}}
            for name, measure in measures.items():
                sums[name] = sums.get(name, 0.0) + float(measure(fake, real).sum())
        return {name: total / len(real_NHWC) for name, total in sums.items()}
