"""The still frame behind the motion: learned images that cost one addition and spare the network the background."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.core.frame_size import FrameSize
from training.core.principal import principal_components

# N frames, T frames of a clip, H W rows and columns, R rank, I inputs

PIXEL_LIMIT = 0.98  # atanh of 1 is infinite


class Canvas(nn.Module):
    """A learned frame, plus `rank` learned frames at half size mixed by the generator's input; added before tanh."""

    def __init__(self, size: FrameSize, rank: int, inputs: int) -> None:
        super().__init__()
        self.still = nn.Parameter(torch.zeros(3, *size))
        self.pictures = nn.Parameter(torch.zeros(rank, 3, *size.halved())) if rank else None
        self.mix = nn.Sequential(nn.Linear(inputs, 128), nn.LeakyReLU(0.2), nn.Linear(128, rank)) if rank else None

    def forward(self, input_NI: Tensor) -> Tensor:
        """Return the canvas [N, 3, H, W] for each generator input."""
        if self.pictures is None or self.mix is None:
            return self.still[None]
        moving = (self.mix(input_NI) @ self.pictures.flatten(1)).unflatten(1, self.pictures.shape[1:])
        return self.still + functional.interpolate(moving, scale_factor=2.0, mode="bilinear", align_corners=False)

    @torch.no_grad()
    def start_from(self, frames_T3HW: Tensor) -> None:
        """Start at the clip: the mean frame, and the principal components of what differs from it (in [-1, 1])."""
        before_tanh = _before_tanh(frames_T3HW)
        mean = before_tanh.mean(dim=0)
        self.still.copy_(mean)
        if self.pictures is None:
            return
        small = functional.avg_pool2d(before_tanh - mean, 2).flatten(1)
        components = principal_components(small, len(self.pictures))
        self.pictures[: len(components)] = components.unflatten(1, self.pictures.shape[1:])

    @torch.no_grad()
    def be_still(self, frame_3HW: Tensor) -> None:
        """Start the still frame at one frame in [-1, 1]."""
        self.still.copy_(_before_tanh(frame_3HW))


def _before_tanh(frames: Tensor) -> Tensor:
    return torch.atanh(frames.clamp(-PIXEL_LIMIT, PIXEL_LIMIT))
