"""Cones taken apart into their rows: what opposite directions have in common is computed once, before anything is shifted.

Row s of a cone lies s places behind the pixel. Shifting commutes with convolving across, so the frame's rows, which both
directions of an axis share, are convolved once and shifted afterwards; those of a hidden state are shifted first. A cone of
kernel K has ((K + 1) / 2)^2 taps so, against K (K + 1) / 2 as one kernel (4 against 6, 9 against 15).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.core.streaming import StreamingModel
from training.families.listen_and_move.rewrites.recurrence import (
    PlayedPrediction,
    cell_of,
    lying_behind,
    predictions,
    row_kernels,
)
from training.families.listen_and_move.video_prediction import Direction, VideoPrediction

# B batch, C channels of the frame, D of the hidden state, H W rows and columns, G gate: update 0, reset 1, candidate 2

GATES = (0, 1, 2)
UPDATE, RESET, CANDIDATE = GATES
_AXIS: dict[Direction, str] = {
    "centre": "c",
    "down": "vertical",
    "up": "vertical",
    "right": "horizontal",
    "left": "horizontal",
}


class SharedTerms(PlayedPrediction):
    """The five cells with shared rows of the frame and a convolution for every gate and row."""

    def __init__(self, source: VideoPrediction) -> None:
        super().__init__(source)
        assert self.has_blend
        self.kernels = nn.ParameterDict()
        for direction in self.directions:
            cell = cell_of(source, direction)
            rows = row_kernels(cell, direction)
            biases = torch.split(torch.cat([cell.gates.bias, cell.candidate.bias]).detach(), self.hidden_channels)
            for s, row in enumerate(rows):
                frame, hidden = torch.split(row, cell.parts, dim=1)
                for gate in GATES:
                    own = slice(gate * self.hidden_channels, (gate + 1) * self.hidden_channels)
                    self.kernels[f"{_AXIS[direction]}_{s}_{gate}_x"] = frame[own].contiguous()
                    self.kernels[f"{_AXIS[direction]}_{s}_{gate}_h"] = hidden[own].contiguous()
            for gate in GATES:
                self.kernels[f"{_AXIS[direction]}_{gate}_bias"] = biases[gate].clone()
        self.rows = len(row_kernels(cell_of(source, "down"), "down"))

    def places(self, direction: Direction) -> range:
        """Return how far behind the rows of a direction lie."""
        return range(1) if direction == "centre" else range(self.rows)

    def term(self, part: Tensor, direction: Direction, s: int, gate: int, of: str) -> Tensor:
        """Convolve with row s; zeros surround the frame across the direction."""
        axis = _AXIS[direction]
        kernel = self.kernels[f"{axis}_{s}_{gate}_{of}"]
        padding = (kernel.shape[2] // 2, kernel.shape[3] // 2)
        bias = self.kernels[f"{axis}_{gate}_bias"] if of == "x" and s == 0 else None
        return functional.conv2d(part, kernel, bias, padding=padding)

    def terms_of_frame(self, x_BCHW: Tensor) -> dict[tuple[str, int, int], Tensor]:
        """Return each axis's rows of the frame, convolved and not yet shifted, by axis, row and gate."""
        terms: dict[tuple[str, int, int], Tensor] = {}
        for direction in ("centre", "down", "right"):
            for s in self.places(direction):
                given = self.behind_and_before(x_BCHW, direction, s)
                for gate in GATES:
                    terms[_AXIS[direction], s, gate] = self.term(given, direction, s, gate, "x")
        return terms

    def behind_and_before(self, x_BCHW: Tensor, direction: Direction, s: int) -> Tensor:
        """Return the frame as row s is to be convolved, before shifting."""
        return x_BCHW

    def from_frame(self, terms: dict[tuple[str, int, int], Tensor], direction: Direction, gate: int) -> Tensor:
        """Shift the frame's rows of a gate for one direction and add them up."""
        total: Tensor | None = None
        for s in self.places(direction):
            shifted = lying_behind(terms[_AXIS[direction], s, gate], direction, s)
            total = shifted if total is None else total + shifted
        assert total is not None
        return total

    def gate(self, from_frame: Tensor, shifted: list[Tensor], direction: Direction, gate: int) -> Tensor:
        """Add the convolved rows of a hidden state, which come shifted."""
        for s, part in enumerate(shifted):
            from_frame = self.term(part, direction, s, gate, "h") + from_frame
        return from_frame

    def follow(self, x_BCHW: Tensor, hiddens: dict[Direction, Tensor]) -> dict[Direction, Tensor]:
        terms = self.terms_of_frame(x_BCHW)
        following: dict[Direction, Tensor] = {}
        for direction, hidden in hiddens.items():
            heard = [self.from_frame(terms, direction, gate) for gate in GATES]
            following[direction] = self.cell(heard, hidden, direction)
        return following

    def cell(self, from_frame: list[Tensor], hidden: Tensor, direction: Direction) -> Tensor:
        """Return the next hidden state of one direction."""
        shifted = [lying_behind(hidden, direction, s) for s in self.places(direction)]
        update = torch.sigmoid(self.gate(from_frame[UPDATE], shifted, direction, UPDATE))
        kept = torch.sigmoid(self.gate(from_frame[RESET], shifted, direction, RESET)) * hidden
        shifted = [lying_behind(kept, direction, s) for s in self.places(direction)]
        proposed = torch.tanh(self.gate(from_frame[CANDIDATE], shifted, direction, CANDIDATE))
        return hidden + update * (proposed - hidden)


class SharedTermsInBlocks(SharedTerms):
    """The same for runtimes that keep channels in blocks and leave that layout for whatever is not a convolution.

    ONNX Runtime's blocks hold through convolutions, additions, products, averages and activations. So shifts are convolutions
    of one channel each, the edge comes from an average that counts no padding (the place behind is twice the average of both,
    less the place itself), and a difference is an addition to a convolution by -1.
    """

    def __init__(self, source: VideoPrediction) -> None:
        super().__init__(source)
        for axis in ("vertical", "horizontal"):
            # Twice the average of a place and the one behind, less the place itself, is the one behind.
            for gate in GATES[CANDIDATE:]:
                near, far = self.kernels[f"{axis}_0_{gate}_h"], self.kernels[f"{axis}_1_{gate}_h"]
                middle = (0, 0, 1, 1) if axis == "horizontal" else (1, 1)
                self.kernels[f"{axis}_near"] = functional.pad(near, middle) - far
                self.kernels[f"{axis}_twice"] = 2.0 * far
        ones = torch.ones(self.hidden_channels, 1, 1, 1)
        self.kernels["same"], self.kernels["negative"] = ones, -ones
        for direction in self.directions[1:]:
            for places in {1, *(2 * s for s in self.places(direction)[1:])}:
                kernel = torch.zeros(self.hidden_channels, 1, places + 1)
                kernel[:, :, 0 if direction in ("down", "right") else places] = 1.0
                kernel = kernel[..., None] if direction in ("down", "up") else kernel[:, :, None]
                self.kernels[f"{direction}_of_{places}_more"] = kernel
        for kind in ("frame", "mask"):
            whole = self.blend_parts.pop(kind).detach()
            for direction, part in zip(self.directions, torch.split(whole, self.hidden_channels, dim=1), strict=True):
                self.blend_parts[f"{kind}_{direction}"] = part.contiguous()

    def one_by_one(self, part: Tensor, kernel: Tensor) -> Tensor:
        """Convolve every channel by itself."""
        return functional.conv2d(part, kernel, groups=self.hidden_channels)

    def cut_out(self, part: Tensor, direction: Direction, places: int) -> Tensor:
        """Return part of a frame that is `places` longer: its beginning, or its end for up and left."""
        return self.one_by_one(part, self.kernels[f"{direction}_of_{places}_more"])

    def behind_and_before(self, x_BCHW: Tensor, direction: Direction, s: int) -> Tensor:
        if direction == "centre" or s == 0:
            return x_BCHW
        return functional.pad(x_BCHW, (0, 0, s, s) if direction == "down" else (s, s, 0, 0), mode="replicate")

    def from_frame(self, terms: dict[tuple[str, int, int], Tensor], direction: Direction, gate: int) -> Tensor:
        total = terms[_AXIS[direction], 0, gate]
        for s in self.places(direction)[1:]:
            total = self.cut_out(terms[_AXIS[direction], s, gate], direction, 2 * s) + total
        return total

    def cell(self, from_frame: list[Tensor], hidden: Tensor, direction: Direction) -> Tensor:
        shifted = [lying_behind(hidden, direction, s) for s in self.places(direction)]
        held = self.one_by_one(hidden, self.kernels["same"])
        update = torch.sigmoid(self.gate(from_frame[UPDATE], shifted, direction, UPDATE))
        kept = torch.sigmoid(self.gate(from_frame[RESET], shifted, direction, RESET)) * held
        proposed = torch.tanh(self.candidate(from_frame[CANDIDATE], kept, direction))
        return held + update * (self.one_by_one(held, self.kernels["negative"]) + proposed)

    def candidate(self, from_frame: Tensor, kept: Tensor, direction: Direction) -> Tensor:
        """Add the convolved rows of what the reset gate let through."""
        if direction == "centre":
            return self.gate(from_frame, [kept], direction, CANDIDATE)
        axis = _AXIS[direction]
        across = (0, 1) if axis == "vertical" else (1, 0)
        kernel, padding = ((2, 1), (1, 0)) if axis == "vertical" else ((1, 2), (0, 1))
        average = functional.avg_pool2d(kept, kernel, 1, padding, count_include_pad=False)
        average = self.cut_out(average, direction, 1)
        total = functional.conv2d(kept, self.kernels[f"{axis}_near"], padding=across) + from_frame
        total = functional.conv2d(average, self.kernels[f"{axis}_twice"], padding=across) + total
        for s in self.places(direction)[2:]:
            total = self.term(lying_behind(kept, direction, s), direction, s, CANDIDATE, "h") + total
        return total

    def predict(self, hiddens: list[Tensor]) -> tuple[Tensor, Tensor]:
        totals: list[Tensor] = []
        for kind in ("frame", "mask"):
            total: Tensor | None = None
            for direction, hidden in zip(self.directions, hiddens, strict=True):
                weight = self.blend_parts[f"{kind}_{direction}"]
                part = functional.conv2d(hidden, weight, self.blend_parts[f"{kind}_bias"] if total is None else None)
                total = part if total is None else part + total
            assert total is not None
            totals.append(total)
        return totals[0], totals[1]


def share_terms(model: StreamingModel) -> None:
    """Compute what opposite directions hear of the frame once; one convolution for every gate and row."""
    _replace(model, SharedTerms)


def share_terms_in_blocks(model: StreamingModel) -> None:
    """The same, written so that a runtime with blocked channels never leaves its layout."""
    _replace(model, SharedTermsInBlocks)


def _replace(model: StreamingModel, form: type[SharedTerms]) -> None:
    for level, source in predictions(model).items():
        # A single cell has no opposite, and kernel 1 has no rows behind: these stay plain.
        several = source.blend is not None and max(row_kernels(cell_of(source, "centre"), "centre")[0].shape[2:]) > 1
        if several:
            model.generator.predictions[level] = form(source)
