"""The device that a run computes on."""

from __future__ import annotations

import torch

from engine.core.errors import TrainingError
from training.core import distributed


def choose_device(name: str) -> torch.device:
    """Return the device; `auto` takes CUDA when there is one. Raises TrainingError when CUDA is demanded and absent."""
    if name == "cuda" and not torch.cuda.is_available():
        raise TrainingError(
            "device is 'cuda', but torch finds no CUDA device; use --device cpu or install torch for CUDA."
        )
    device = torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")
    if device.type == "cuda":
        device = torch.device("cuda", distributed.device_number(torch.cuda.device_count()))
        torch.cuda.set_device(device)
        # TF32 is exact enough for training and several times faster.
        torch.backends.cuda.matmul.allow_tf32 = True
        torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True
    return device
