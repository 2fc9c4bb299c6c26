"""Blocks of the generator: convolution, injected noise, norm."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

# N pictures (batch times steps), C channels, H W rows and columns


class NoisyConv(nn.Module):
    """Convolution 3 × 3, then noise of one channel times a learned weight that starts at 0, then the norm."""

    def __init__(self, in_channels: int, out_channels: int, conditional_norm: bool, normalise: bool = True) -> None:
        super().__init__()
        self.normalise = normalise
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.grain = nn.Parameter(torch.zeros(1))
        self.norm = None if conditional_norm else nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor, grain_N1HW: Tensor, condition: tuple[Tensor, Tensor] | None) -> Tensor:
        x = self.conv(x) + self.grain * grain_N1HW
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
    """Two noisy convolutions beside a 1 × 1 skip; the sum is divided by √2."""

    def __init__(self, in_channels: int, out_channels: int, conditional_norm: bool, normalise: bool = True) -> None:
        super().__init__()
        self.first = NoisyConv(in_channels, out_channels, conditional_norm, normalise)
        self.second = NoisyConv(out_channels, out_channels, conditional_norm, normalise)
        self.skip = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor, grains: tuple[Tensor, Tensor], condition: tuple[Tensor, Tensor] | None) -> Tensor:
        y = functional.leaky_relu(self.first(x, grains[0], condition), 0.2)
        y = self.second(y, grains[1], condition)
        return functional.leaky_relu((y + self.skip(x)) / math.sqrt(2.0), 0.2)


class PlainBlock(nn.Module):
    """Two noisy convolutions, each with its activation (architectures basic and skip)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.first = NoisyConv(in_channels, out_channels, False)
        self.second = NoisyConv(out_channels, out_channels, False)

    def forward(self, x: Tensor, grains: tuple[Tensor, Tensor], condition: tuple[Tensor, Tensor] | None) -> Tensor:
        x = functional.leaky_relu(self.first(x, grains[0], condition), 0.2)
        return functional.leaky_relu(self.second(x, grains[1], condition), 0.2)


def initialise(module: nn.Module, how: str) -> None:
    """Initialise in place: `reference` is normal 0.02 with zero biases; `he` scales to the fan-in and lets scales start at 1."""
    for part in module.modules():
        if isinstance(part, (nn.Conv2d, nn.Linear)):
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
