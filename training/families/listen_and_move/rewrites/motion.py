"""The motion encoder's gated cells as one matrix product a layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.core.streaming import StreamingModel

# B batch, I inputs (= hidden size)


class OneProductCell(nn.Module):
    """A GRUCell on [input, hidden] with one matrix: reset, update, and the new value's parts of input and of hidden apart."""

    def __init__(self, cell: nn.GRUCell) -> None:
        super().__init__()
        size = cell.hidden_size
        of_input, of_hidden = cell.weight_ih.detach(), cell.weight_hh.detach()
        none = torch.zeros_like(of_hidden[2 * size :])
        rows = [
            torch.cat([of_input[: 2 * size], of_hidden[: 2 * size]], dim=1),
            torch.cat([of_input[2 * size :], none], dim=1),
            torch.cat([none, of_hidden[2 * size :]], dim=1),
        ]
        bias_input, bias_hidden = cell.bias_ih.detach(), cell.bias_hh.detach()
        gates = bias_input[: 2 * size] + bias_hidden[: 2 * size]
        self.weight = nn.Parameter(torch.cat(rows))
        self.bias = nn.Parameter(torch.cat([gates, bias_input[2 * size :], bias_hidden[2 * size :]]))
        self.size = size

    def forward(self, x_BI: Tensor, hidden_BI: Tensor) -> Tensor:
        joined = functional.linear(torch.cat([x_BI, hidden_BI], dim=1), self.weight, self.bias)
        gates, from_input, from_hidden = torch.split(joined, [2 * self.size, self.size, self.size], dim=1)
        reset, update = torch.sigmoid(gates).chunk(2, dim=1)
        new = torch.tanh(from_input + reset * from_hidden)
        return new + update * (hidden_BI - new)


def multiply_once(model: StreamingModel) -> None:
    """Give every layer of the motion encoder one matrix product."""
    cells = model.generator.motion.cells
    for index, cell in enumerate(cells):
        assert isinstance(cell, nn.GRUCell)
        cells[index] = OneProductCell(cell)
