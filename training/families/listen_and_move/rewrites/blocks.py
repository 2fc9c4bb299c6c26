"""Convolution, noise and norm of a block as they are played: what is constant is folded into weights.

A norm that is affine in the running statistics goes into its convolution. Division by √2 goes into the skip and the second
norm: LeakyReLU comes after the sum. Instance norm takes scale and shift itself, and takes away any bias before it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.core.streaming import StreamingModel
from training.families.listen_and_move.enlarged import enlarged
from training.families.listen_and_move.layers import NoisyConv, PlainBlock, ResidualBlock

# N frames, C channels, H W rows and columns

Condition = tuple[Tensor, Tensor] | None


class EnlargeThenConvolve(nn.Module):
    """The plain first convolution of a block: nearest x 2, then 3 x 3."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.convolution = convolution

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return self.convolution(enlarged(x_NCHW))


class PlayedConv(nn.Module):
    """A NoisyConv taken apart, with the same call; the passes change its parts."""

    def __init__(self, source: NoisyConv, enlarge: bool) -> None:
        super().__init__()
        assert isinstance(source.conv, nn.Conv2d)
        self.convolve: nn.Module = EnlargeThenConvolve(source.conv) if enlarge else source.conv
        self.noise_weight: Tensor | None
        self.register_buffer("noise_weight", source.grain.detach().clone().reshape(1, 1, 1, 1))
        self.batch_norm = source.norm
        self.conditional, self.normalise = source.norm is None, source.normalise
        self.scale_in_norm = False

    @property
    def convolution(self) -> nn.Conv2d:
        """The 3 x 3 convolution itself."""
        inner = self.convolve.convolution if isinstance(self.convolve, EnlargeThenConvolve) else self.convolve
        assert isinstance(inner, nn.Conv2d)
        return inner

    def forward(
        self, x_NCHW: Tensor, grain_N1HW: Tensor, condition: Condition, steps: int, enlarge: bool = False
    ) -> Tensor:
        x = self.convolve(x_NCHW)
        if self.noise_weight is not None:
            # One weight: one multiplication of a single channel. One a channel (a folded norm): a 1 x 1 convolution.
            alike = self.noise_weight.shape[0] == 1
            x = x + (self.noise_weight * grain_N1HW if alike else functional.conv2d(grain_N1HW, self.noise_weight))
        if self.batch_norm is not None:
            return self.batch_norm(x)
        if not self.conditional:
            return x
        assert condition is not None
        shift, scale = condition
        if self.scale_in_norm and self.normalise:
            return scaled_instance_norm(x, scale, shift)
        x = functional.instance_norm(x, eps=1e-5) if self.normalise else x
        return x * scale + shift

    def multiply(self, factor_C: Tensor, add_C: Tensor) -> None:
        """Let what comes out before any norm be multiplied and shifted, channel by channel."""
        convolution, size = self.convolution, self.convolution.out_channels
        bias = convolution.bias if convolution.bias is not None else factor_C.new_zeros(size)
        weight = convolution.weight.detach() * factor_C[:, None, None, None]
        self._give(convolution, weight, bias.detach() * factor_C + add_C)
        if self.noise_weight is not None:
            self.noise_weight = (self.noise_weight * factor_C[:, None, None, None]).contiguous()

    @staticmethod
    def _give(convolution: nn.Conv2d, weight: Tensor, bias: Tensor) -> None:
        convolution.weight, convolution.bias = nn.Parameter(weight), nn.Parameter(bias)


def scaled_instance_norm(x_NCHW: Tensor, scale_NC11: Tensor, shift_NC11: Tensor) -> Tensor:
    """Instance norm with another scale and shift for every frame, as one operation: frames become channels."""
    batch, channels = x_NCHW.shape[:2]
    joined = x_NCHW if batch == 1 else x_NCHW.reshape(1, batch * channels, *x_NCHW.shape[2:])
    normed = functional.instance_norm(joined, weight=scale_NC11.flatten(), bias=shift_NC11.flatten(), eps=1e-5)
    return normed if batch == 1 else normed.reshape(x_NCHW.shape)


class PlayedResidualBlock(nn.Module):
    """A ResidualBlock whose division by √2 sits in the skip's weights and in the second norm."""

    def __init__(self, first: nn.Module, second: PlayedConv, skip: nn.Conv2d) -> None:
        super().__init__()
        self.first, self.second, self.skip = first, second, skip

    def forward(self, x: Tensor, grains: tuple[Tensor, Tensor], condition: Condition, steps: int) -> Tensor:
        y = functional.leaky_relu(self.first(x, grains[0], condition, steps, enlarge=True), 0.2)
        if condition is not None:
            shift, scale = condition
            condition = (shift / math.sqrt(2.0), scale / math.sqrt(2.0))
        return functional.leaky_relu(self.second(y, grains[1], condition, steps) + enlarged(self.skip(x)), 0.2)


Block = ResidualBlock | PlainBlock | PlayedResidualBlock


def played_blocks(model: StreamingModel) -> Iterator[Any]:
    """Go through the blocks with their convolutions taken apart (in place, once)."""
    assert model.config.generator.convolution == "2d"
    for block in model.generator.blocks:
        assert isinstance(block, Block)
        for name, enlarge in (("first", True), ("second", False)):
            source = getattr(block, name)
            if isinstance(source, NoisyConv):
                setattr(block, name, PlayedConv(source, enlarge))
        yield block


def played_convolutions(model: StreamingModel) -> Iterator[PlayedConv]:
    """Go through the seed's and the blocks' convolutions taken apart (in place, once)."""
    generator = cast(Any, model.generator)
    if isinstance(generator.seed, NoisyConv):
        generator.seed = PlayedConv(generator.seed, False)
    yield generator.seed
    for block in played_blocks(model):
        yield block.first
        yield block.second


@torch.no_grad()
def fold_batch_norm(model: StreamingModel) -> None:
    """Put every batch norm into the convolution before it, and its factor into the noise's weight."""
    for part in played_convolutions(model):
        norm = part.batch_norm
        if norm is None:
            continue
        assert norm.running_mean is not None
        assert norm.running_var is not None
        factor = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        part.multiply(factor, norm.bias - norm.running_mean * factor)
        part.batch_norm = None


def scale_in_norm(model: StreamingModel) -> None:
    """Give the sound's scale and shift to the instance norm itself: one operation in place of three."""
    for part in played_convolutions(model):
        part.scale_in_norm = True


@torch.no_grad()
def fold_root_two(model: StreamingModel) -> None:
    """Put the residual blocks' division by √2 into the weights."""
    root = 1.0 / math.sqrt(2.0)
    for index, block in enumerate(played_blocks(model)):
        if not isinstance(block, ResidualBlock):
            continue
        skip, second = block.skip, cast(Any, block.second)
        assert skip.bias is not None
        skip.weight.mul_(root)
        skip.bias.mul_(root)
        if second.batch_norm is not None:
            second.batch_norm.weight.mul_(root)
            second.batch_norm.bias.mul_(root)
        elif not second.conditional:
            size = second.convolution.out_channels
            second.multiply(torch.full((size,), root), torch.zeros(size))
        model.generator.blocks[index] = PlayedResidualBlock(block.first, second, skip)


def join_noise(model: StreamingModel) -> None:
    """Leave out noise whose learned weight is 0, and the bias that an instance norm takes away again."""
    for part in played_convolutions(model):
        if part.noise_weight is not None and not bool(part.noise_weight.any()):
            part.noise_weight = None
        if part.conditional and part.normalise and isinstance(part.convolve, EnlargeThenConvolve | nn.Conv2d):
            part.convolution.bias = None
