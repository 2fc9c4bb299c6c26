"""The residual dilated recurrence from sound and noise to motion ("residual multi-scale DilatedRNN")."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

# B batch, T steps, I inputs (= hidden size)


class MotionEncoder(nn.Module):
    """Layers of GRU cells, the l-th recurring with dilation 2^l; input and output have the same size.

    With more than one layer each output is LeakyReLU((h + input) / √2). Type `feedback` passes the input through a linear
    layer and adds the previous output. Source: arXiv 2406.16155, section 3.
    """

    def __init__(self, size: int, layers: int, kind: Literal["basic", "feedback"]) -> None:
        super().__init__()
        self.size = size
        self.cells = nn.ModuleList(nn.GRUCell(size, size) for _ in range(layers))
        self.encoder = nn.Linear(size, size) if kind == "feedback" else None

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes without the batch: a queue of 2^l hidden vectors a layer, oldest first."""
        shapes: dict[str, tuple[int, ...]] = {f"motion_{l}": (2**l, self.size) for l in range(len(self.cells))}
        if self.encoder is not None:
            shapes["motion_output"] = (self.size,)
        return shapes

    def forward(self, input_BTI: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Encode T steps; returns the outputs [B, T, I] and this module's next states."""
        state = {name: state[name] for name in self.state_shapes()}
        outputs: list[Tensor] = []
        for input_BI in input_BTI.unbind(dim=1):
            output_BI, state = self._step(input_BI, state)
            outputs.append(output_BI)
        return torch.stack(outputs, dim=1), state

    def _step(self, x: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        following: dict[str, Tensor] = {}
        if self.encoder is not None:
            x = functional.leaky_relu(self.encoder(x), 0.2) + state["motion_output"]
        for l, cell in enumerate(self.cells):
            queue = state[f"motion_{l}"]
            hidden = cell(x, queue[:, 0])
            following[f"motion_{l}"] = torch.cat([queue[:, 1:], hidden[:, None]], dim=1)
            x = functional.leaky_relu((hidden + x) / math.sqrt(2.0), 0.2) if len(self.cells) > 1 else hidden
        if self.encoder is not None:
            following["motion_output"] = x
        return x, following
