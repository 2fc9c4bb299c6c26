"""Fréchet distance of two sets of features, as if both were Gaussian: |μ - μ'|² + Tr(Σ + Σ' - 2 (ΣΣ')^½) (arXiv 1706.08500).

torchmetrics computes the distance. It does not change under rotation, so the features are first projected on the few directions
that two small sets span. The matrices then have the size of the number of frames instead of the number of features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance

# N M frames of two sets, D features

LEAST = 2  # frames in a set: one alone has no variance


class _Given(nn.Module):
    """Passes on features that were computed before."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.num_features = count

    def forward(self, features_ND: Tensor) -> Tensor:
        return features_ND


def frechet_distance(left_ND: Tensor, right_MD: Tensor) -> float:
    """Return the distance, 0 for equal sets. Fewer frames make it larger: compare only sets of equal size."""
    assert len(left_ND) >= LEAST
    assert len(right_MD) >= LEAST
    both = torch.cat([left_ND, right_MD]).double()
    if len(both) < both.shape[1]:
        both = both @ torch.linalg.qr(both.T).Q
    distance = FrechetInceptionDistance(feature=_Given(both.shape[1]), normalize=True).to(both.device)
    distance.update(both[: len(left_ND)], real=False)
    distance.update(both[len(left_ND) :], real=True)
    return max(float(distance.compute()), 0.0)
