"""Video prediction: convolutional GRUs that remember what moved where, blended with what was hallucinated now."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.core.frame_size import FrameSize

# B batch, T steps, M = T B frames (all of the first step, then all of the second, …), C channels, H W rows and columns, G gates times channels, K kernel size

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

    The s-th row lies s places behind the pixel. Behind the frame's edge the edge is repeated; across the direction
    the frame is surrounded by zeros. Kept as a K/2 × K half kernel, which is exact (arXiv 2406.16155, section 3.3).
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

    def forward(self, x_BCHW: Tensor, kernel: Tensor, direction: Direction, with_bias: bool) -> Tensor:
        """Convolve with `kernel`, all or some input channels of `self.kernel(direction)`."""
        reach = self.reach
        edge = {"up": (0, 0, 0, reach), "down": (0, 0, reach, 0), "left": (0, reach, 0, 0), "right": (reach, 0, 0, 0)}[
            direction
        ]
        across = (0, reach) if direction in ("up", "down") else (reach, 0)
        padded = functional.pad(x_BCHW, edge, mode="replicate") if reach else x_BCHW
        bias = self.bias if with_bias else None
        return functional.conv2d(padded, kernel, bias, padding=across)


class CentreConv(nn.Module):
    """The undirected K × K convolution with the same call."""

    def __init__(self, in_channels: int, out_channels: int, gates: int, kernel_size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(gates * out_channels, in_channels, kernel_size, kernel_size))
        for gate in self.weight.data.split(out_channels):
            nn.init.orthogonal_(gate)
        self.bias = nn.Parameter(torch.zeros(gates * out_channels))

    def kernel(self, direction: Direction) -> Tensor:
        """Return the kernel [G, C, K, K]; the direction changes nothing."""
        return self.weight

    def forward(self, x_BCHW: Tensor, kernel: Tensor, direction: Direction, with_bias: bool) -> Tensor:
        """Convolve with `kernel`, all or some input channels of `self.kernel(direction)`."""
        bias = self.bias if with_bias else None
        return functional.conv2d(x_BCHW, kernel, bias, padding=self.weight.shape[2] // 2)


class ConvGRU(nn.Module):
    """h' = h (1 - z) + tanh(candidate[x, r h]) z, with z and r from [x, h]."""

    def __init__(self, in_channels: int, hidden_channels: int, kernel_size: int, directional: bool) -> None:
        super().__init__()
        conv = ConeConv if directional else CentreConv
        self.hidden_channels = hidden_channels
        self.parts = [in_channels, hidden_channels]
        self.gates = conv(in_channels + hidden_channels, hidden_channels, 2, kernel_size)  # update, then reset
        self.candidate = conv(in_channels + hidden_channels, hidden_channels, 1, kernel_size)

    def forward(self, x_MCHW: Tensor, hidden_BCHW: Tensor, direction: Direction) -> list[Tensor]:
        """Return the hidden states [B, C, H, W] after each step. What depends on the input alone is computed for all T at once."""
        batch = hidden_BCHW.shape[0]
        # Made once for all steps.
        gates_of_input, gates_of_hidden = self._parted(self.gates.kernel(direction))
        candidate_of_input, candidate_of_hidden = self._parted(self.candidate.kernel(direction))
        gates = self.gates(x_MCHW, gates_of_input, direction, True)
        candidate = self.candidate(x_MCHW, candidate_of_input, direction, True)
        hiddens: list[Tensor] = []
        # Taken apart at once: gradients of one slice at a time would each be padded with zeros to all T.
        for gate_from_input, candidate_from_input in zip(gates.split(batch), candidate.split(batch), strict=True):
            gate = torch.sigmoid(gate_from_input + self.gates(hidden_BCHW, gates_of_hidden, direction, False))
            update, reset = gate.split(self.hidden_channels, dim=1)
            proposed = torch.tanh(
                candidate_from_input + self.candidate(hidden_BCHW * reset, candidate_of_hidden, direction, False)
            )
            hidden_BCHW = hidden_BCHW + update * (proposed - hidden_BCHW)
            hiddens.append(hidden_BCHW)
        return hiddens

    def _parted(self, kernel: Tensor) -> tuple[Tensor, Tensor]:
        """Return the parts of a kernel for input and hidden state.

        Two slices, not a split: the exporter computes slices of weights in advance, and prints a line for a split that it leaves
        in the file.
        """
        return kernel[:, : self.parts[0]], kernel[:, self.parts[0] :]


class VideoPrediction(nn.Module):
    """Blend the hallucinated frame x with one predicted from memory: a x + (1 - a) x'.

    `dir`: five ConvGRUs (centre and four directions) and a 1 × 1 convolution that gives x' and the mask a.
    `basic`: one ConvGRU with one channel more, whose hidden state is the prediction itself. Source: arXiv 2406.16155.
    """

    def __init__(
        self, channels: int, size: FrameSize, kernel_size: int, kind: Literal["basic", "dir"], level: int
    ) -> None:
        super().__init__()
        self.level = level
        self.directions = DIRECTIONS if kind == "dir" else DIRECTIONS[:1]
        hidden = channels if kind == "dir" else channels + 1
        names = dict.fromkeys(_CELL_OF[direction] for direction in self.directions)
        self.cells = nn.ModuleDict({n: ConvGRU(channels, hidden, kernel_size, n != "centre") for n in names})
        self.blend = nn.Conv2d(len(DIRECTIONS) * hidden, channels + 1, 1) if kind == "dir" else None
        self._shape = (hidden, *size)

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes without the batch: one hidden frame a direction."""
        return {self._state_name(direction): self._shape for direction in self.directions}

    def _state_name(self, direction: Direction) -> str:
        return f"prediction_{self.level}_{direction}"

    def forward(self, x_BTCHW: Tensor, state: dict[str, Tensor], memory: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Predict and blend T steps.

        `memory`, a scalar or one value a frame [M, 1, 1, 1], biases the mask: positive trusts the prediction more, 0 is as learned.
        """
        batch, steps = x_BTCHW.shape[:2]
        x_MCHW = x_BTCHW.transpose(0, 1).flatten(0, 1)
        hiddens = [state[self._state_name(direction)] for direction in self.directions]
        if steps > 1 and x_MCHW.device.type == "cpu":
            # Several steps are training: there oneDNN is quicker with the channels side by side.
            x_MCHW, *hiddens = (part.contiguous(memory_format=torch.channels_last) for part in (x_MCHW, *hiddens))
        flows = [self.cells[_CELL_OF[d]](x_MCHW, hidden, d) for d, hidden in zip(self.directions, hiddens, strict=True)]
        following = {self._state_name(d): flow[-1].contiguous() for d, flow in zip(self.directions, flows, strict=True)}
        joined = torch.cat([torch.cat(step, dim=1) for step in zip(*flows, strict=True)])
        predicted = joined if self.blend is None else self.blend(joined)
        mask = torch.sigmoid(predicted[:, -1:] - memory)
        predicted = predicted[:, :-1]
        blended_MCHW = predicted + mask * (x_MCHW - predicted)
        return blended_MCHW.unflatten(0, (steps, batch)).transpose(0, 1), following
