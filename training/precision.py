"""Mixed precision: networks compute in bfloat16 where that is safe, while weights, states, losses and moments stay float32."""

from __future__ import annotations

from typing import Literal

import torch

from training.perceptual import PerceptualLoss
from training.streaming import StreamingModel

Precision = Literal["float32", "bfloat16"]


def compute_in(
    precision: Precision, device: torch.device, model: StreamingModel, *others: torch.nn.Module | PerceptualLoss | None
) -> None:
    """Let the model's `clip` and the others' `forward` run in a precision; float32 changes nothing.

    What turns sound into features stays in float32: its decibels need the range and the digits. bfloat16 has float32's range, so
    gradients need no scaling. Backward passes follow the precision of what they go back through.
    """
    if precision == "float32":
        return
    reduced = torch.autocast(device.type, torch.bfloat16)
    model.front_end.forward = torch.autocast(device.type, enabled=False)(model.front_end.forward)  # type: ignore[method-assign]
    model.clip_features = reduced(model.clip_features)  # type: ignore[method-assign]
    for other in others:
        if other is not None:
            other.forward = reduced(other.forward)  # type: ignore[method-assign]
