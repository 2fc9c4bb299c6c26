"""Principal components of what was measured in a clip, as the start of learned maps."""

from __future__ import annotations

import torch
from torch import Tensor

# T measurements, N values of each

_OVERSAMPLING = 8


@torch.no_grad()
def principal_components(values_TN: Tensor, count: int) -> Tensor:
    """Return the strongest components of values around zero, each times its deviation, [at most `count`, N]."""
    _, strength, components = torch.pca_lowrank(values_TN, q=min(count + _OVERSAMPLING, *values_TN.shape), center=False)
    deviation = strength / len(values_TN) ** 0.5
    found = min(count, components.shape[1])
    return (components.T * deviation[:, None])[:found]
