"""Learned maps mixed by the sound into every channel: the shapes that move, given where the network would have to find them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.core.frame_size import FrameSize

# N frames, T frames of a clip, I generator inputs, R maps, C channels, H W rows and columns of the maps

MIX_DEVIATION = 0.2


class Relief(nn.Module):
    """Generator inputs [N, I] -> [N, C, H, W]: for every channel another mixture of the same R maps."""

    def __init__(self, inputs: int, channels: int, size: FrameSize, rank: int) -> None:
        super().__init__()
        self.channels = channels
        self.maps = nn.Parameter(0.5 * torch.randn(rank, *size))
        self.mix = nn.Linear(inputs, channels * rank)
        nn.init.normal_(self.mix.weight, 0.0, MIX_DEVIATION / inputs**0.5)
        nn.init.normal_(self.mix.bias, 0.0, MIX_DEVIATION / rank**0.5)

    def forward(self, input_NI: Tensor) -> Tensor:
        weight_NCR = self.mix(input_NI).unflatten(1, (self.channels, -1))
        return (weight_NCR @ self.maps.flatten(1)).unflatten(2, self.maps.shape[1:])

    @torch.no_grad()
    def start_from(self, frames_T3HW: Tensor) -> None:
        """Start at the principal components of a clip's brightness, each scaled to deviation 1."""
        brightness = functional.interpolate(
            frames_T3HW.mean(dim=1, keepdim=True), size=self.maps.shape[1:], mode="area"
        )
        moving = (brightness - brightness.mean(dim=0)).flatten(1)
        _, _, components = torch.pca_lowrank(moving, q=min(len(self.maps) + 8, len(moving)), center=False)
        count = min(len(self.maps), components.shape[1])
        maps = components.T[:count]
        self.maps[:count] = (maps / maps.std(dim=1, keepdim=True).clamp_min(1e-6)).unflatten(1, self.maps.shape[1:])
