"""Video prediction for one step, with the recurrence left to the pass: what all forms of it share."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.core.streaming import StreamingModel
from training.families.listen_and_move.video_prediction import CentreConv, ConeConv, ConvGRU, Direction, VideoPrediction

# B batch, C channels of the frame, D of the hidden state, H W rows and columns, K kernel size

OPPOSITE: dict[Direction, Direction] = {"down": "up", "up": "down", "right": "left", "left": "right"}
_CELL: dict[Direction, str] = {
    "centre": "centre",
    "down": "vertical",
    "up": "vertical",
    "right": "horizontal",
    "left": "horizontal",
}


class PlayedPrediction(nn.Module):
    """A VideoPrediction for one step, with the same call; a form of it says how the hidden states follow."""

    def __init__(self, source: VideoPrediction) -> None:
        super().__init__()
        self.level, self.directions = source.level, source.directions
        self.hidden_channels = source.state_shapes()[f"prediction_{source.level}_centre"][0]
        self.shapes = source.state_shapes()
        self.has_blend = source.blend is not None
        # Apart, because runtimes with channels last cut the last channel off slowly; stored, so that no kernel is computed.
        self.blend_parts = nn.ParameterDict()
        if source.blend is not None:
            assert source.blend.bias is not None
            for kind, own in (("frame", slice(None, -1)), ("mask", slice(-1, None))):
                self.blend_parts[kind] = source.blend.weight.detach()[own].clone()
                self.blend_parts[f"{kind}_bias"] = source.blend.bias.detach()[own].clone()

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes without the batch, as the card has them."""
        return self.shapes

    def follow(self, x_BCHW: Tensor, hiddens: dict[Direction, Tensor]) -> dict[Direction, Tensor]:
        """Return the next hidden states [B, D, H, W]."""
        raise NotImplementedError

    def predict(self, hiddens: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Return prediction [B, C, H, W] and mask before its sigmoid [B, 1, H, W]."""
        joined = torch.cat(hiddens, dim=1)
        if not self.has_blend:
            return joined[:, :-1], joined[:, -1:]
        parts = self.blend_parts
        mask = functional.conv2d(joined, parts["mask"], parts["mask_bias"])
        return functional.conv2d(joined, parts["frame"], parts["frame_bias"]), mask

    def forward(self, x_BTCHW: Tensor, state: dict[str, Tensor], memory: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Predict and blend one step."""
        assert x_BTCHW.shape[1] == 1, "rewritten models play one step at a time"
        x = x_BTCHW[:, 0]
        names: dict[Direction, str] = {d: f"prediction_{self.level}_{d}" for d in self.directions}
        following = self.follow(x, {d: state[name] for d, name in names.items()})
        predicted, mask = self.predict([following[d] for d in self.directions])
        mask = torch.sigmoid(mask - memory)
        return (predicted + mask * (x - predicted))[:, None], {names[d]: following[d] for d in self.directions}


def predictions(model: StreamingModel) -> dict[str, VideoPrediction]:
    """Return the video predictions by level."""
    return {level: cast(VideoPrediction, part) for level, part in model.generator.predictions.items()}


def cell_of(source: VideoPrediction, direction: Direction) -> ConvGRU:
    """Return the cell of a direction; opposite ones share it."""
    return cast(ConvGRU, source.cells[_CELL[direction]])


def full_kernels(cell: ConvGRU, direction: Direction) -> tuple[Tensor, Tensor]:
    """Return kernels [3 D, C + D, rows, columns] of update, reset and candidate, and their biases [3 D]."""
    kernel = torch.cat([cell.gates.kernel(direction), cell.candidate.kernel(direction)])
    return kernel.detach(), torch.cat([cell.gates.bias, cell.candidate.bias]).detach()


def row_kernels(cell: ConvGRU, direction: Direction) -> list[Tensor]:
    """Return the rows of a cone, the pixel's own first, [3 D, C + D, 1, length] (or turned, for right and left); of the centre, its kernel."""
    if isinstance(cell.gates, CentreConv):
        assert isinstance(cell.candidate, CentreConv)
        return [torch.cat([cell.gates.weight, cell.candidate.weight]).detach()]
    assert isinstance(cell.candidate, ConeConv)
    pairs = zip(cell.gates.rows, cell.candidate.rows, strict=True)
    rows = [torch.cat([cast(Tensor, gates), cast(Tensor, candidate)]).detach() for gates, candidate in pairs]
    return [row.transpose(2, 3) for row in rows] if direction in ("right", "left") else rows


def lying_behind(x_BCHW: Tensor, direction: Direction, places: int) -> Tensor:
    """Return for every pixel the one `places` behind it along the direction; behind the edge the edge is repeated."""
    if places == 0:
        return x_BCHW
    axis = 2 if direction in ("down", "up") else 3
    size = x_BCHW.shape[axis]
    if direction in ("down", "right"):
        edge = x_BCHW.narrow(axis, 0, 1)
        return torch.cat([edge] * places + [x_BCHW.narrow(axis, 0, size - places)], dim=axis)
    edge = x_BCHW.narrow(axis, size - 1, 1)
    return torch.cat([x_BCHW.narrow(axis, places, size - places)] + [edge] * places, dim=axis)


def cone_padding(x_BCHW: Tensor, direction: Direction, reach: int) -> tuple[Tensor, tuple[int, int]]:
    """Repeat the edge behind the frame; returns it and the zeros that a cone's convolution adds across the direction."""
    if direction == "centre":
        return x_BCHW, (reach, reach)
    edge = {"up": (0, 0, 0, reach), "down": (0, 0, reach, 0), "left": (0, reach, 0, 0), "right": (reach, 0, 0, 0)}
    across = (0, reach) if direction in ("up", "down") else (reach, 0)
    return functional.pad(x_BCHW, edge[direction], mode="replicate"), across
