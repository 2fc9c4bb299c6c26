"""What a teacher's autoencoder makes of frames, as features: a live model that is near in them is near in what the teacher draws."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.diffusion.stable_diffusion import open_vae, scale_of

# N frames, C channels of latents, H W rows and columns


class VaeFeatures(nn.Module):
    """RGB frames [N, 3, H, W] in [-1, 1] -> the means of their latents [N, C, H / 8, W / 8]."""

    def __init__(self, vae: Any) -> None:
        super().__init__()
        self.encoder, self.quant_conv = vae.encoder, vae.quant_conv
        self.scale, self.channels = vae.config.scaling_factor, vae.config.latent_channels
        self.step = scale_of(vae)

    def forward(self, frames_N3HW: Tensor) -> Tensor:
        rows, columns = (-side % self.step for side in frames_N3HW.shape[2:])
        # Sides that are no multiples would lose their last rows and columns.
        whole = functional.pad(frames_N3HW.float(), (0, columns, 0, rows), mode="replicate")
        found = self.encoder(whole)
        if self.quant_conv is not None:
            found = self.quant_conv(found)
        return self.scale * found[:, : self.channels]


def encoder(weights: Path) -> VaeFeatures:
    """Return the features of the autoencoder in a file. Raises TrainingError where it does not fit."""
    return VaeFeatures(open_vae(weights, torch.device("cpu"), torch.float32))
