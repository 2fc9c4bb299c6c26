"""Convolutions of video: of each frame by itself, then with the first frame and the one before (arXiv 2403.05659)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

# B batch, C channels, F frames, H W rows and columns


class CausalConvolution(nn.Conv2d):
    """Video [B, C, F, H, W] -> video. A frame sees the first frame, the one before and itself; the first sees itself three times.

    What it sees is added by `conv_temp`, which is 0 before training: a convolution of Stable Diffusion then does what it did.
    """

    def __init__(self, channels: int, new_channels: int, kernel: int, stride: int = 1) -> None:
        super().__init__(channels, new_channels, kernel, stride, padding=kernel // 2)
        self.conv_temp = nn.Linear(3 * new_channels, new_channels)
        nn.init.zeros_(self.conv_temp.weight)
        nn.init.zeros_(self.conv_temp.bias)

    def forward(self, video: Tensor) -> Tensor:
        now = video_of(super().forward(frames_of(video)), video.shape[2])
        first = now[:, :, :1]
        seen = torch.cat([first.expand_as(now), torch.cat([first, now[:, :, :-1]], dim=2), now], dim=1)
        # A linear layer over channels is a convolution of one place.
        added = functional.conv2d(frames_of(seen), self.conv_temp.weight[:, :, None, None], self.conv_temp.bias)
        return now + video_of(added, video.shape[2])


def frames_of(video: Tensor) -> Tensor:
    """[B, C, F, H, W] -> [B·F, C, H, W]."""
    return video.transpose(1, 2).flatten(0, 1)


def video_of(frames: Tensor, count: int) -> Tensor:
    """[B·F, C, H, W] -> [B, C, F, H, W] for videos of `count` frames."""
    return frames.unflatten(0, (-1, count)).transpose(1, 2)
