"""Two forms of the recurrent cells: all that reads the same is one convolution, or every gate has a convolution of its own."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.core.streaming import StreamingModel
from training.families.listen_and_move.rewrites.recurrence import (
    PlayedPrediction,
    cell_of,
    cone_padding,
    full_kernels,
    predictions,
)
from training.families.listen_and_move.video_prediction import Direction, VideoPrediction

# B batch, C channels of the frame, D of the hidden state, H W rows and columns


class JoinedGates(PlayedPrediction):
    """Frame and hidden state joined: update and reset are one convolution of [x, h], the candidate one of [x, r h]."""

    def __init__(self, source: VideoPrediction) -> None:
        super().__init__(source)
        self.kernels, self.biases = nn.ParameterDict(), nn.ParameterDict()
        for direction in self.directions:
            kernel, bias = full_kernels(cell_of(source, direction), direction)
            self.reach = max(kernel.shape[2:]) // 2
            for what, own in (
                ("gates", slice(2 * self.hidden_channels)),
                ("new", slice(2 * self.hidden_channels, None)),
            ):
                self.kernels[f"{direction}_{what}"] = kernel[own].clone()
                self.biases[f"{direction}_{what}"] = bias[own].clone()

    def follow(self, x_BCHW: Tensor, hiddens: dict[Direction, Tensor]) -> dict[Direction, Tensor]:
        following: dict[Direction, Tensor] = {}
        size = self.hidden_channels
        for direction, hidden in hiddens.items():
            gates = torch.sigmoid(self._convolve(torch.cat([x_BCHW, hidden], dim=1), direction, "gates"))
            update, reset = torch.split(gates, size, dim=1)
            proposed = torch.tanh(self._convolve(torch.cat([x_BCHW, hidden * reset], dim=1), direction, "new"))
            following[direction] = hidden + update * (proposed - hidden)
        return following

    def _convolve(self, joined: Tensor, direction: Direction, what: str) -> Tensor:
        padded, across = cone_padding(joined, direction, self.reach)
        key = f"{direction}_{what}"
        return functional.conv2d(padded, self.kernels[key], self.biases[key], padding=across)


class PartedGates(PlayedPrediction):
    """Every gate is a convolution of x plus one of the hidden state: nothing has to be cut in two along its channels."""

    def __init__(self, source: VideoPrediction) -> None:
        super().__init__(source)
        self.of_frame, self.of_hidden, self.biases = nn.ParameterDict(), nn.ParameterDict(), nn.ParameterDict()
        for direction in self.directions:
            cell = cell_of(source, direction)
            kernel, bias = full_kernels(cell, direction)
            frame, hidden = torch.split(kernel, cell.parts, dim=1)
            for gate in range(3):
                own = slice(gate * self.hidden_channels, (gate + 1) * self.hidden_channels)
                self.of_frame[f"{direction}{gate}"] = frame[own].contiguous()
                self.of_hidden[f"{direction}{gate}"] = hidden[own].contiguous()
                self.biases[f"{direction}{gate}"] = bias[own].contiguous()

    def follow(self, x_BCHW: Tensor, hiddens: dict[Direction, Tensor]) -> dict[Direction, Tensor]:
        following: dict[Direction, Tensor] = {}
        for direction, hidden in hiddens.items():
            padded_x, across = self._padded(x_BCHW, direction)
            padded_h, _ = self._padded(hidden, direction)

            def gate(index: int, of: Tensor, frame: Tensor = padded_x, d: str = direction, p: tuple[int, int] = across):
                key = f"{d}{index}"
                from_frame = functional.conv2d(frame, self.of_frame[key], self.biases[key], padding=p)
                return from_frame + functional.conv2d(of, self.of_hidden[key], padding=p)

            update, reset = torch.sigmoid(gate(0, padded_h)), torch.sigmoid(gate(1, padded_h))
            proposed = torch.tanh(gate(2, self._padded(hidden * reset, direction)[0]))
            following[direction] = hidden + update * (proposed - hidden)
        return following

    def _padded(self, part: Tensor, direction: Direction) -> tuple[Tensor, tuple[int, int]]:
        return cone_padding(part, direction, max(self.of_hidden[f"{direction}0"].shape[2:]) // 2)


def join_gates(model: StreamingModel) -> None:
    """Let every cell have two convolutions, of frame and hidden state joined."""
    for level, source in predictions(model).items():
        model.generator.predictions[level] = JoinedGates(source)


def part_gates(model: StreamingModel) -> None:
    """Let update, reset and candidate each have convolutions of their own."""
    for level, source in predictions(model).items():
        model.generator.predictions[level] = PartedGates(source)
