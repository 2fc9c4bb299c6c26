"""Video prediction: convolutional GRUs that remember what moved where, blended with what was hallucinated now."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

# B batch, T steps, C channels, H W rows and columns, G gates times channels, K kernel size

Direction = Literal["centre", "down", "up", "right", "left"]
DIRECTIONS: tuple[Direction, ...] = ("centre", "down", "up", "right", "left")
# Opposite directions share their weights.
_CELL_OF: dict[Direction, str] = {
    "centre": "centre",
    "down": "vertical",
    "up": "vertical",
    "right": "horizontal",
    "left": "horizontal",
}


class ConeConv(nn.Module):
    """A convolution that looks back along its direction through a cone: rows of growing odd length 1, 3, …, K.

    The s-th row lies s places behind the pixel. Behind the picture's edge the edge is repeated; across the direction
    the picture is surrounded by zeros. Kept as a K/2 × K half kernel, which is exact (arXiv 2406.16155, section 3.3).
    """

    def __init__(self, in_channels: int, out_channels: int, gates: int, kernel_size: int) -> None:
        super().__init__()
        self.reach = kernel_size // 2
        self.rows = nn.ParameterList()
        for s in range(self.reach + 1):
            row = torch.empty(gates * out_channels, in_channels, 1, 2 * s + 1)
            for gate in row.split(out_channels):
                nn.init.orthogonal_(gate)
            self.rows.append(nn.Parameter(row))
        self.bias = nn.Parameter(torch.zeros(gates * out_channels))

    def kernel(self, direction: Direction) -> Tensor:
        """Return the kernel [G, C, rows, K] (or [G, C, K, columns]) for one direction; the pixel's own row is last for "down"."""
        width = 2 * self.reach + 1
        rows = [functional.pad(row, ((width - row.shape[3]) // 2,) * 2) for row in self.rows]
        if direction in ("down", "right"):
            rows.reverse()
        cone = torch.cat(rows, dim=2)
        return cone if direction in ("down", "up") else cone.transpose(2, 3)

    def forward(self, x_BCHW: Tensor, inputs: slice, direction: Direction, with_bias: bool) -> Tensor:
        """Convolve with the weights of the given input channels."""
        reach = self.reach
        edge = {"up": (0, 0, 0, reach), "down": (0, 0, reach, 0), "left": (0, reach, 0, 0), "right": (reach, 0, 0, 0)}[
            direction
        ]
        across = (0, reach) if direction in ("up", "down") else (reach, 0)
        padded = functional.pad(x_BCHW, edge, mode="replicate") if reach else x_BCHW
        bias = self.bias if with_bias else None
        return functional.conv2d(padded, self.kernel(direction)[:, inputs], bias, padding=across)


class CentreConv(nn.Module):
    """The undirected K × K convolution with the same call."""

    def __init__(self, in_channels: int, out_channels: int, gates: int, kernel_size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(gates * out_channels, in_channels, kernel_size, kernel_size))
        for gate in self.weight.data.split(out_channels):
            nn.init.orthogonal_(gate)
        self.bias = nn.Parameter(torch.zeros(gates * out_channels))

    def forward(self, x_BCHW: Tensor, inputs: slice, direction: Direction, with_bias: bool) -> Tensor:
        """Convolve with the weights of the given input channels; the direction changes nothing."""
        bias = self.bias if with_bias else None
        return functional.conv2d(x_BCHW, self.weight[:, inputs], bias, padding=self.weight.shape[2] // 2)


class ConvGRU(nn.Module):
    """h' = h (1 - z) + tanh(candidate[x, r h]) z, with z and r from [x, h]."""

    def __init__(self, in_channels: int, hidden_channels: int, kernel_size: int, directional: bool) -> None:
        super().__init__()
        conv = ConeConv if directional else CentreConv
        self.hidden_channels = hidden_channels
        self.from_input, self.from_hidden = slice(0, in_channels), slice(in_channels, None)
        self.gates = conv(in_channels + hidden_channels, hidden_channels, 2, kernel_size)  # update, then reset
        self.candidate = conv(in_channels + hidden_channels, hidden_channels, 1, kernel_size)

    def forward(self, x_BTCHW: Tensor, hidden_BCHW: Tensor, direction: Direction) -> Tensor:
        """Return the hidden states after each step [B, T, C, H, W]. What depends on the input alone is computed for all T at once."""
        batch, steps = x_BTCHW.shape[:2]
        flat = x_BTCHW.flatten(0, 1)
        gates = self.gates(flat, self.from_input, direction, True).unflatten(0, (batch, steps))
        candidate = self.candidate(flat, self.from_input, direction, True).unflatten(0, (batch, steps))
        hiddens: list[Tensor] = []
        for t in range(steps):
            gate = torch.sigmoid(gates[:, t] + self.gates(hidden_BCHW, self.from_hidden, direction, False))
            update, reset = gate.split(self.hidden_channels, dim=1)
            proposed = torch.tanh(
                candidate[:, t] + self.candidate(hidden_BCHW * reset, self.from_hidden, direction, False)
            )
            hidden_BCHW = hidden_BCHW + update * (proposed - hidden_BCHW)
            hiddens.append(hidden_BCHW)
        return torch.stack(hiddens, dim=1)


class VideoPrediction(nn.Module):
    """Blend the hallucinated picture x with one predicted from memory: a x + (1 - a) x'.

    `dir`: five ConvGRUs (centre and four directions) and a 1 × 1 convolution that gives x' and the mask a.
    `basic`: one ConvGRU with one channel more, whose hidden state is the prediction itself. Source: arXiv 2406.16155.
    """

    def __init__(self, channels: int, size: int, kernel_size: int, kind: Literal["basic", "dir"], level: int) -> None:
        super().__init__()
        self.level = level
        self.directions = DIRECTIONS if kind == "dir" else DIRECTIONS[:1]
        hidden = channels if kind == "dir" else channels + 1
        names = dict.fromkeys(_CELL_OF[direction] for direction in self.directions)
        self.cells = nn.ModuleDict({n: ConvGRU(channels, hidden, kernel_size, n != "centre") for n in names})
        self.blend = nn.Conv2d(len(DIRECTIONS) * hidden, channels + 1, 1) if kind == "dir" else None
        self._shape = (hidden, size, size)

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes without the batch: one hidden picture a direction."""
        return {self._state_name(direction): self._shape for direction in self.directions}

    def _state_name(self, direction: Direction) -> str:
        return f"prediction_{self.level}_{direction}"

    def forward(self, x_BTCHW: Tensor, state: dict[str, Tensor], memory: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Predict and blend T steps. `memory` [] biases the mask: positive trusts the prediction more, 0 is as learned."""
        flows = [self.cells[_CELL_OF[d]](x_BTCHW, state[self._state_name(d)], d) for d in self.directions]
        following = {self._state_name(d): flow[:, -1] for d, flow in zip(self.directions, flows, strict=True)}
        if self.blend is not None:
            joined = torch.cat(flows, dim=2)
            predicted = self.blend(joined.flatten(0, 1)).unflatten(0, joined.shape[:2])
        else:
            predicted = flows[0]
        mask = torch.sigmoid(predicted[:, :, -1:] - memory)
        predicted = predicted[:, :, :-1]
        return predicted + mask * (x_BTCHW - predicted), following
