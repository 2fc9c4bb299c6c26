"""Blocks of the generator: convolution, injected noise, norm."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.families.listen_and_move.enlarged import conv3_of_enlarged, enlarged
from training.families.listen_and_move.time_convolution import TimeConv3d

# N frames (batch times steps, the steps of one sequence in a row), C channels, H W rows and columns


def convolution3(in_channels: int, out_channels: int, over_time: bool) -> nn.Conv2d | TimeConv3d:
    """Return a convolution of 3 × 3 places, or of 3 moments × 3 × 3 places, that keeps the size."""
    kind = TimeConv3d if over_time else nn.Conv2d
    return kind(in_channels, out_channels, 3, padding=1)


def convolve(convolution: nn.Conv2d | TimeConv3d, x_NCHW: Tensor, steps: int) -> Tensor:
    """Apply `convolution` to frames of sequences of `steps`; before and after a sequence lie zeros."""
    if isinstance(convolution, nn.Conv2d):
        return convolution(x_NCHW)
    return convolution(x_NCHW.unflatten(0, (-1, steps)).transpose(1, 2)).transpose(1, 2).flatten(0, 1)


class NoisyConv(nn.Module):
    """Convolution 3 × 3 (× 3), then noise of one channel times a learned weight that starts at 0, then the norm."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        conditional_norm: bool,
        normalise: bool = True,
        over_time: bool = False,
    ) -> None:
        super().__init__()
        self.normalise = normalise
        self.conv = convolution3(in_channels, out_channels, over_time)
        self.grain = nn.Parameter(torch.zeros(1))
        self.norm = None if conditional_norm else nn.BatchNorm2d(out_channels)

    def forward(
        self,
        x: Tensor,
        grain_N1HW: Tensor,
        condition: tuple[Tensor, Tensor] | None,
        steps: int,
        enlarge: bool = False,
    ) -> Tensor:
        """Convolve `x`, or `x` enlarged twofold."""
        if enlarge and self.training and isinstance(self.conv, nn.Conv2d):
            x = conv3_of_enlarged(x, self.conv.weight, self.conv.bias)
        else:
            x = convolve(self.conv, enlarged(x) if enlarge else x, steps)
        x = x + self.grain * grain_N1HW
        if self.norm is not None:
            return self.norm(x)
        assert condition is not None
        shift_NC11, scale_NC11 = condition
        x = functional.instance_norm(x, eps=1e-5) if self.normalise else x
        return x * scale_NC11 + shift_NC11


class Condition(nn.Module):
    """Sound features -> shift and scale of a level's two norms (acIN of arXiv 2406.16155)."""

    def __init__(self, features: int, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 2 * channels)

    def forward(self, features_NF: Tensor) -> tuple[Tensor, Tensor]:
        shift, scale = functional.leaky_relu(self.linear(features_NF), 0.2).chunk(2, dim=1)
        return shift[:, :, None, None], scale[:, :, None, None]


class ResidualBlock(nn.Module):
    """Enlarge twofold, then two noisy convolutions beside a 1 × 1 skip; the sum is divided by √2."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        conditional_norm: bool,
        normalise: bool = True,
        over_time: bool = False,
    ) -> None:
        super().__init__()
        self.first = NoisyConv(in_channels, out_channels, conditional_norm, normalise, over_time)
        self.second = NoisyConv(out_channels, out_channels, conditional_norm, normalise, over_time)
        self.skip = nn.Conv2d(in_channels, out_channels, 1)

    def forward(
        self, x: Tensor, grains: tuple[Tensor, Tensor], condition: tuple[Tensor, Tensor] | None, steps: int
    ) -> Tensor:
        y = functional.leaky_relu(self.first(x, grains[0], condition, steps, enlarge=True), 0.2)
        y = self.second(y, grains[1], condition, steps)
        # A 1 × 1 convolution commutes with the enlargement.
        return functional.leaky_relu((y + enlarged(self.skip(x))) / math.sqrt(2.0), 0.2)


class PlainBlock(nn.Module):
    """Enlarge twofold, then two noisy convolutions, each with its activation (architectures basic and skip)."""

    def __init__(self, in_channels: int, out_channels: int, over_time: bool = False) -> None:
        super().__init__()
        self.first = NoisyConv(in_channels, out_channels, False, over_time=over_time)
        self.second = NoisyConv(out_channels, out_channels, False, over_time=over_time)

    def forward(
        self, x: Tensor, grains: tuple[Tensor, Tensor], condition: tuple[Tensor, Tensor] | None, steps: int
    ) -> Tensor:
        x = functional.leaky_relu(self.first(x, grains[0], condition, steps, enlarge=True), 0.2)
        return functional.leaky_relu(self.second(x, grains[1], condition, steps), 0.2)


def initialise(module: nn.Module, how: str) -> None:
    """Initialise in place: `reference` is normal 0.02 with zero biases; `he` scales to the fan-in and lets scales start at 1."""
    for part in module.modules():
        if isinstance(part, (nn.Conv2d, nn.Conv3d, nn.Linear)):
            if how == "he":
                nn.init.kaiming_normal_(part.weight, a=0.2)
            else:
                nn.init.normal_(part.weight, 0.0, 0.02)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.weight, 1.0, 0.02)
            nn.init.zeros_(part.bias)
    if how == "he":
        for part in module.modules():
            if isinstance(part, Condition):
                nn.init.normal_(part.linear.weight, 0.0, 0.1)
                nn.init.ones_(part.linear.bias[part.linear.out_features // 2 :])


@torch.no_grad()
def start_small(module: nn.Module) -> None:
    """Give every weight a normal value of deviation 0.02 and every bias 0, in place.

    The published code of arXiv 2406.16155 does so with the video prediction too, over the orthogonal start it gave before.
    """
    for parameter in module.parameters():
        if parameter.dim() > 1:
            parameter.normal_(0.0, 0.02)
        else:
            parameter.zero_()


@torch.no_grad()
def start_sub_pixels_equal(convolution: nn.Conv2d, upscale: int) -> None:
    """Give the filters of the `upscale`² pixels that share a place the weights of the first: no grid at the start.

    Source: Aitken et al., Checkerboard artifact free sub-pixel convolution, arXiv 1707.02937.
    """
    for parameter in convolution.parameters():
        parameter.copy_(parameter[:: upscale**2].repeat_interleave(upscale**2, dim=0))
