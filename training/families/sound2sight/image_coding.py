"""Frames to codes and back: a DCGAN encoder and decoder with skips (arXiv 1511.06434; shapes as Sound2Sight, ECCV 2020)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from engine.core.errors import TrainingError
from training.core.frame_size import FrameSize

# N frames, C colours, D numbers of a code, H W rows and columns

SLOPE = 0.2
MOST_TIMES = 8
"""As many times the channels of the first level as a level has at most."""
LEAST_SIDE, MOST_SIDE = 4, 7
"""Of the shorter side of the coarsest map, from which one convolution makes the code: 4 of 64 and 128 pixels, 6 of 48 and 96."""


def map_sizes(size: FrameSize) -> list[FrameSize]:
    """Return the sizes of the encoder's maps, each half the one before. Raises TrainingError for a frame that cannot be halved so."""
    sizes, now = list[FrameSize](), size
    while min(now) > MOST_SIDE:
        if now.height % 2 or now.width % 2:
            raise TrainingError(
                f"image_size is {size.image_size}; for this family both sides must halve until the shorter one has {LEAST_SIDE} to "
                f"{MOST_SIDE} pixels, as those of 48, 64, 96, 128 and 128x64 do."
            )
        now = FrameSize(now.height // 2, now.width // 2)
        sizes.append(now)
    return sizes


def map_shapes(channels: int, size: FrameSize) -> list[tuple[int, int, int]]:
    """Return the shapes [C, h, w] of the encoder's maps, which the decoder takes as skips, finest first."""
    return [(channels * min(2**level, MOST_TIMES), *one) for level, one in enumerate(map_sizes(size))]


class Encoder(nn.Module):
    """Frames [N, C, H, W] in [0, 1] -> codes [N, D] in [-1, 1] and the maps on the way, finest first."""

    def __init__(self, size: FrameSize, colours: int, channels: int, code_size: int) -> None:
        """Raises TrainingError for a frame size that cannot be."""
        super().__init__()
        shapes = map_shapes(channels, size)
        inputs = [colours, *(shape[0] for shape in shapes)]
        self.levels = nn.ModuleList(
            _normed(nn.Conv2d(coarser, shape[0], 4, 2, 1), nn.LeakyReLU(SLOPE))
            for coarser, shape in zip(inputs, shapes, strict=False)
        )
        self.code = _normed(nn.Conv2d(inputs[-1], code_size, shapes[-1][1:]), nn.Tanh())

    def forward(self, frames_NCHW: Tensor) -> tuple[Tensor, list[Tensor]]:
        maps, now = list[Tensor](), frames_NCHW
        for level in self.levels:
            now = level(now)
            maps.append(now)
        return self.code(now).flatten(1), maps


class Decoder(nn.Module):
    """Codes [N, D] and skips, finest first -> maps [N, C, H, W] in [0, 1]."""

    def __init__(self, size: FrameSize, maps: int, channels: int, code_size: int) -> None:
        super().__init__()
        shapes = map_shapes(channels, size)
        coarsest = shapes[-1]
        self.seed = _normed(nn.ConvTranspose2d(code_size, coarsest[0], coarsest[1:]), nn.LeakyReLU(SLOPE))
        self.levels = nn.ModuleList(
            _normed(nn.ConvTranspose2d(2 * coarser[0], finer[0], 4, 2, 1), nn.LeakyReLU(SLOPE))
            for coarser, finer in zip(shapes[:0:-1], shapes[-2::-1], strict=True)
        )
        self.frame = nn.ConvTranspose2d(2 * shapes[0][0], maps, 4, 2, 1)

    def forward(self, code_ND: Tensor, skips: Sequence[Tensor]) -> Tensor:
        now = self.seed(code_ND[:, :, None, None])
        for level, skip in zip(self.levels, skips[:0:-1], strict=True):
            now = level(torch.cat([now, skip], dim=1))
        return torch.sigmoid(self.frame(torch.cat([now, skips[0]], dim=1)))


def _normed(convolution: nn.Conv2d | nn.ConvTranspose2d, activation: nn.Module) -> nn.Sequential:
    return nn.Sequential(convolution, nn.BatchNorm2d(convolution.out_channels), activation)
