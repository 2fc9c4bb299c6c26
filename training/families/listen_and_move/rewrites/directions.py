"""Opposite directions as a batch of two: the second frame is mirrored, so both take the same kernel."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.core.streaming import StreamingModel
from training.families.listen_and_move.rewrites.recurrence import (
    OPPOSITE,
    PlayedPrediction,
    cell_of,
    cone_padding,
    full_kernels,
    predictions,
)
from training.families.listen_and_move.video_prediction import Direction, VideoPrediction

# B batch, C channels of the frame, D of the hidden state, H W rows and columns


class MirroredPairs(PlayedPrediction):
    """Down and up, right and left are played together; states are mirrored on entry and again on exit."""

    def __init__(self, source: VideoPrediction) -> None:
        super().__init__(source)
        vertical: tuple[Direction, ...] = ("down", OPPOSITE["down"])
        horizontal: tuple[Direction, ...] = ("right", OPPOSITE["right"])
        self.pairs: list[tuple[Direction, ...]] = [("centre",)]
        self.pairs += [pair for pair in (vertical, horizontal) if pair[0] in self.directions]
        self.kernels, self.biases = nn.ParameterDict(), nn.ParameterDict()
        for first, *_ in self.pairs:
            kernel, self.biases[first] = full_kernels(cell_of(source, first), first)
            self.reach = max(kernel.shape[2:]) // 2
            of_frame, of_hidden = torch.split(kernel, cell_of(source, first).parts, dim=1)
            self.kernels[f"{first}_frame"] = of_frame.contiguous()
            self.kernels[f"{first}_gates"] = of_hidden[: 2 * self.hidden_channels].contiguous()
            self.kernels[f"{first}_new"] = of_hidden[2 * self.hidden_channels :].contiguous()

    def follow(self, x_BCHW: Tensor, hiddens: dict[Direction, Tensor]) -> dict[Direction, Tensor]:
        following: dict[Direction, Tensor] = {}
        for pair in self.pairs:
            axis = 2 if pair[0] == "down" else 3
            # The mirrored one of a pair is its second.
            frames = torch.cat([x_BCHW if k == 0 else x_BCHW.flip(axis) for k, _ in enumerate(pair)])
            hidden = torch.cat([hiddens[d] if k == 0 else hiddens[d].flip(axis) for k, d in enumerate(pair)])
            after = torch.split(self._cell(frames, hidden, pair[0]), len(x_BCHW))
            for k, direction in enumerate(pair):
                following[direction] = after[k] if k == 0 else after[k].flip(axis)
        return following

    def _cell(self, x: Tensor, hidden: Tensor, direction: Direction) -> Tensor:
        size, bias = self.hidden_channels, self.biases[direction]
        padded_x, across = cone_padding(x, direction, self.reach)
        from_frame = functional.conv2d(padded_x, self.kernels[f"{direction}_frame"], bias, padding=across)
        padded_h, _ = cone_padding(hidden, direction, self.reach)
        from_hidden = functional.conv2d(padded_h, self.kernels[f"{direction}_gates"], padding=across)
        update, reset = torch.split(torch.sigmoid(from_frame[:, : 2 * size] + from_hidden), size, dim=1)
        padded_h, _ = cone_padding(hidden * reset, direction, self.reach)
        from_hidden = functional.conv2d(padded_h, self.kernels[f"{direction}_new"], padding=across)
        return hidden + update * (torch.tanh(from_frame[:, 2 * size :] + from_hidden) - hidden)


def mirror_directions(model: StreamingModel) -> None:
    """Play opposite directions as a batch of two."""
    for level, source in predictions(model).items():
        model.generator.predictions[level] = MirroredPairs(source)
