"""Nearest x 2 followed by a 3 x 3 convolution, computed on the small frame: 4 / 9 of the multiplications.

Each of the four pixels that come of one sees only 2 x 2 different small pixels; the weights that meet the same one add up.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.core.streaming import StreamingModel
from training.families.listen_and_move.rewrites.blocks import EnlargeThenConvolve, played_blocks

LEAST_CHANNELS = 64
"""Convolutions of fewer inputs stay as they are: there the shuffle of pixels costs what the multiplications save."""

# N frames, C inputs, O outputs, H W rows and columns of the small frame


def kernels_of_places(weight_OC33: Tensor) -> Tensor:
    """Return the four kernels [2, 2, O, C, 2, 2], by row and column of the place among the four pixels of one."""
    above, middle, below = weight_OC33.unbind(dim=2)
    # Even rows see the small row above, then their own twice; odd rows their own twice, then the one below.
    by_row = torch.stack([torch.stack([above, middle + below], 2), torch.stack([above + middle, below], 2)])
    left, centre, right = by_row.unbind(dim=-1)
    return torch.stack([torch.stack([left, centre + right], -1), torch.stack([left + centre, right], -1)], dim=1)


class FourPlaces(nn.Module):
    """Four 2 x 2 convolutions, each padded on the two sides that its place looks to, then one shuffle of pixels."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        kernels = kernels_of_places(convolution.weight.detach()).flatten(0, 1)
        self.kernels = nn.ParameterList(kernel.clone() for kernel in kernels)
        self.bias = convolution.bias

    def forward(self, x_NCHW: Tensor) -> Tensor:
        places: list[Tensor] = []
        for row in (0, 1):
            for column in (0, 1):
                # Zeros outside the frame, as around the enlarged one; exporters make them the convolution's own padding.
                padded = functional.pad(x_NCHW, (1 - column, column, 1 - row, row))
                places.append(functional.conv2d(padded, self.kernels[2 * row + column], self.bias))
        return functional.pixel_shuffle(torch.stack(places, dim=2).flatten(1, 2), 2)


class Transposed(nn.Module):
    """The same as one transposed convolution: kernel 4, stride 2."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        weight = convolution.weight.detach()
        # Every small pixel is seen by a 4 x 4 patch of the frame: the kernel turned round, spread over two pixels each way.
        turned = weight.flip(2, 3)
        spread = sum(functional.pad(turned, (column, 1 - column, row, 1 - row)) for row in (0, 1) for column in (0, 1))
        assert isinstance(spread, Tensor)
        self.weight = nn.Parameter(spread.transpose(0, 1).contiguous())
        self.bias = convolution.bias

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return functional.conv_transpose2d(x_NCHW, self.weight, self.bias, stride=2, padding=1)


def enlarge_by_shuffle(model: StreamingModel) -> None:
    """Compute the enlarging convolutions as four 2 x 2 ones on the small frame."""
    _replace(model, FourPlaces)


def enlarge_by_transposed_convolution(model: StreamingModel) -> None:
    """Compute the enlarging convolutions as transposed ones of kernel 4 and stride 2."""
    _replace(model, Transposed)


def _replace(model: StreamingModel, form: type[FourPlaces] | type[Transposed]) -> None:
    for block in played_blocks(model):
        convolve = block.first.convolve
        assert isinstance(convolve, EnlargeThenConvolve)
        if convolve.convolution.in_channels >= LEAST_CHANNELS:
            block.first.convolve = form(convolve.convolution)
