"""Fréchet distance of two sets of features, as if both were Gaussian: |μ - μ'|² + Tr(Σ + Σ' - 2 (ΣΣ')^½) (arXiv 1706.08500).

The distance is torchmetrics'. It does not change under rotation, so the features are first turned into the few directions that
two small sets span; the library then meets matrices of the number of pictures instead of the number of features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance

# N M pictures of two sets, D features

LEAST = 2  # pictures in a set: one has no spread


class _Given(nn.Module):
    """Features that were computed before."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.num_features = count

    def forward(self, features_ND: Tensor) -> Tensor:
        return features_ND


def frechet_distance(left_ND: Tensor, right_MD: Tensor) -> float:
    """Return the distance, 0 for equal sets. Few pictures make it larger: compare only distances of equally many."""
    assert len(left_ND) >= LEAST
    assert len(right_MD) >= LEAST
    both = torch.cat([left_ND, right_MD]).double()
    if len(both) < both.shape[1]:
        both = both @ torch.linalg.qr(both.T).Q
    distance = FrechetInceptionDistance(feature=_Given(both.shape[1]), normalize=True).to(both.device)
    distance.update(both[: len(left_ND)], real=False)
    distance.update(both[len(left_ND) :], real=True)
    return max(float(distance.compute()), 0.0)
