"""Fréchet distance of two sets of features, as if both were Gaussian: |μ - μ'|² + Tr(Σ + Σ' - 2 (ΣΣ')^½) (arXiv 1706.08500).

With centred features X and Y, Σ is XᵀX / (n - 1) and Tr (ΣΣ')^½ is the sum of the singular values of XYᵀ, a matrix of the size of the
number of frames instead of the number of features.
"""

from __future__ import annotations

import torch
from torch import Tensor

# N M frames of two sets, D features

LEAST = 2  # frames in a set: one alone has no variance


def frechet_distance(left_ND: Tensor, right_MD: Tensor) -> float:
    """Return the distance, 0 for equal sets. Fewer frames make it larger: compare only sets of equal size."""
    assert len(left_ND) >= LEAST
    assert len(right_MD) >= LEAST
    left_ND, right_MD = left_ND.double(), right_MD.double()
    left_mean, right_mean = left_ND.mean(dim=0), right_MD.mean(dim=0)
    left = (left_ND - left_mean) / (len(left_ND) - 1) ** 0.5
    right = (right_MD - right_mean) / (len(right_MD) - 1) ** 0.5
    common = torch.linalg.svdvals(left @ right.T).sum()
    distance = (left_mean - right_mean).square().sum() + left.square().sum() + right.square().sum() - 2.0 * common
    return max(float(distance), 0.0)
