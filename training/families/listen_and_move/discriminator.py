"""Discriminators of Listen and Move: frames or sequences -> a patch of unbounded scores (arXiv 2406.16155)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from engine.core.errors import TrainingError
from training.core.frame_size import FrameSize
from training.families.listen_and_move.config import level_count
from training.families.listen_and_move.time_convolution import TimeConv3d

# B sequences or frames, T frames, H W rows and columns, h w of the patch of scores, F sound features


@dataclass(frozen=True, kw_only=True, slots=True)
class DiscriminatorConfig:
    """Shape of both discriminators; the defaults are the paper's."""

    architecture: Literal["skip", "basic", "residual"] = "skip"
    channels_base: int = 1024
    channels_max: int = 512
    double_finest: bool = False
    norm: Literal["batch", "none"] = "batch"
    """`none` makes the gradient penalty of wgan-gp exact: batch norm mixes the frames it is taken at."""
    hears: bool = False
    """The video discriminator also takes the sound features of each frame, and learns to reject the sound of another time."""

    def __post_init__(self) -> None:
        if self.channels_base < 1 or self.channels_max < 1:
            raise TrainingError(
                f"discriminator has channels_base {self.channels_base} and channels_max {self.channels_max}; 1 or more was expected."
            )

    def channels(self, levels: int, stage: int) -> int:
        """Channels after `stage` of the generator's `levels` doublings, mirrored."""
        finest = self.double_finest and levels - stage < 2
        return max(1, min(int((2.0 if finest else 1.0) * self.channels_base // 2.0**stage), self.channels_max))


class Discriminator(nn.Module):
    """Frames [B, 3, H, W] (`sequence_frames` None) or sequences [B, T, 3, H, W] -> scores [B, 1, (T / 2^n,) h, w], of about 4 × 4.

    Every level halves the frame, rounded up; for sequences it halves the time too, as long as T divides. With `skip` the input follows every
    halving; the published code leaves out its last halving of time. With `features` F above 0 it
    takes the sound's features [B, T, F] as second input. Raises TrainingError for an odd number of frames.
    """

    def __init__(
        self, config: DiscriminatorConfig, size: FrameSize, sequence_frames: int | None = None, features: int = 0
    ) -> None:
        super().__init__()
        if sequence_frames is not None and (sequence_frames < 2 or sequence_frames % 2):
            raise TrainingError(f"sequence_frames is {sequence_frames}; the video discriminator needs an even number.")
        self.architecture, self.video = config.architecture, sequence_frames is not None
        self.takes_sound = features > 0
        levels = level_count(size)
        halvings = 0 if sequence_frames is None else (sequence_frames & -sequence_frames).bit_length() - 1
        self.shrink = [self._shrink(level < halvings) for level in range(levels)]
        width = [config.channels(levels, stage) for stage in range(levels, -1, -1)]
        block = _Residual if config.architecture == "residual" else _Plain
        dimensions = 3 if self.video else 2
        self.blocks = nn.ModuleList(block(dimensions, width[l], width[l + 1], config.norm) for l in range(levels))
        entries = levels if config.architecture == "skip" else 1
        self.from_rgb = nn.ModuleList(_convolution(dimensions, 3, width[l], 1) for l in range(entries))
        self.from_sound = nn.ModuleList(nn.Linear(features, width[l]) for l in range(entries if features else 0))
        self.decision = _convolution(dimensions, width[-1], 1, 1)
        for part in self.modules():
            _initialise(part, config.norm)

    def _shrink(self, time: bool) -> tuple[int, ...]:
        return ((2 if time else 1), 2, 2) if self.video else (2, 2)

    def forward(self, frames: Tensor, features_BTF: Tensor | None = None) -> Tensor:
        rgb = frames.transpose(1, 2) if self.video else frames
        pool = functional.avg_pool3d if self.video else functional.avg_pool2d
        # Levels of power and decibels come close to each other; silence stays 0.
        loudness = None if features_BTF is None else features_BTF.sign() * features_BTF.abs().log1p()
        x: Tensor | None = None
        # An odd last row or column is a place of its own, averaged over the pixels that it has.
        for level, (block, shrink) in enumerate(zip(self.blocks, self.shrink, strict=True)):
            x = None if x is None else pool(x, shrink, ceil_mode=True)
            loudness = None if loudness is None else loudness.unflatten(1, (-1, shrink[0])).mean(dim=2)
            if level < len(self.from_rgb):
                # A 1 × 1 convolution of the average is the average of the convolution, at a fraction of the work.
                entry = self.from_rgb[level](pool(rgb, shrink, ceil_mode=True))
                if self.from_sound and loudness is not None:
                    entry = entry + self.from_sound[level](loudness).transpose(1, 2)[..., None, None]
                x = entry if x is None else x + entry
                rgb = rgb[(..., *(slice(None, None, step) for step in shrink))]
            x = block(x)
        assert x is not None
        return self.decision(x)


class _Plain(nn.Sequential):
    def __init__(self, dimensions: int, inputs: int, outputs: int, norm: str) -> None:
        super().__init__(
            _convolution(dimensions, inputs, outputs, 3),
            _norm(dimensions, outputs, norm),
            nn.LeakyReLU(0.2),
            _convolution(dimensions, outputs, outputs, 3),
            _norm(dimensions, outputs, norm),
            nn.LeakyReLU(0.2),
        )


class _Residual(nn.Module):
    def __init__(self, dimensions: int, inputs: int, outputs: int, norm: str) -> None:
        super().__init__()
        # The last activation of the plain block comes after the sum.
        self.block = nn.Sequential(*list(_Plain(dimensions, inputs, outputs, norm))[:-1])
        self.skip = _convolution(dimensions, inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return functional.leaky_relu((self.block(x) + self.skip(x)) / math.sqrt(2.0), 0.2)


def _convolution(dimensions: int, inputs: int, outputs: int, kernel: int) -> nn.Module:
    kind = TimeConv3d if dimensions == 3 else nn.Conv2d
    return kind(inputs, outputs, kernel, padding=kernel // 2)


def _norm(dimensions: int, channels: int, norm: str) -> nn.Module:
    if norm == "none":
        return nn.Identity()
    return nn.BatchNorm3d(channels) if dimensions == 3 else nn.BatchNorm2d(channels)


def _initialise(part: nn.Module, norm: str) -> None:
    if isinstance(part, (nn.Conv2d, nn.Conv3d, nn.Linear)):
        if norm == "none":
            # Nothing behind it restores the scale of the activations.
            nn.init.kaiming_normal_(part.weight, a=0.2)
        else:
            nn.init.normal_(part.weight, 0.0, 0.02)
        assert part.bias is not None
        nn.init.zeros_(part.bias)
    elif isinstance(part, (nn.BatchNorm2d, nn.BatchNorm3d)):
        nn.init.normal_(part.weight, 1.0, 0.02)
        nn.init.zeros_(part.bias)
