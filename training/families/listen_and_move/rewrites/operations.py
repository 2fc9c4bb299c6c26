"""How many floating-point operations a frame takes, as the modules are written."""

from __future__ import annotations

import copy

import torch
from torch.utils.flop_counter import FlopCounterMode

from training.core.streaming import StreamingModel


def operations_a_frame(model: StreamingModel) -> int:
    """Count multiplications and additions of all convolutions and matrix products of one step."""
    # The counter's hooks work only on weights that are not trained.
    model = copy.deepcopy(model).requires_grad_(False)
    noise = {name: values[:, 0] for name, values in model.draw_noise(1, 1).items()}
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.step(torch.zeros(1, model.window_samples), noise, model.initial_state(1))
    return counter.get_total_flops()
