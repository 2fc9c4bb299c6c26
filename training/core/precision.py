"""Mixed precision: networks compute in bfloat16 where that is safe, while weights, states, losses and moments stay float32.

The front end stays in float32: its decibels need range and digits. So do gradient
penalties, which derive derivatives. bfloat16 has float32's range, so gradients need no scaling. Backward passes
follow the precision of what they go back through.
"""

from __future__ import annotations

from typing import Literal

import torch

from training.core.streaming import StreamingModel

Precision = Literal["float32", "bfloat16"]


def reduced(precision: Precision, device: torch.device) -> torch.autocast:
    """Return a context in which networks compute in a precision."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def compute_in(precision: Precision, device: torch.device, model: StreamingModel) -> None:
    """Let the generator, without its front end, run in a precision; float32 changes nothing."""
    if precision == "float32":
        return
    exact, quick = torch.autocast(device.type, enabled=False), reduced(precision, device)
    model.front_end.forward = exact(model.front_end.forward)  # type: ignore[method-assign]
    model.clip_features = quick(model.clip_features)  # type: ignore[method-assign]
