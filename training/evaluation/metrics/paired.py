"""Distances of a generated frame from the clip's frame at the same time: MSE, PSNR and SSIM, from torchmetrics.

Frames are in [0, 1], rounded to 8 bits. All figures are means over a frame; PSNR and SSIM are higher for similar frames.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

# N frames, H W rows and columns

HIGHEST_PSNR_DB = 100.0  # for equal frames, whose PSNR is infinite
MSE, PSNR, SSIM = "MSE", "PSNR (dB)", "SSIM"


def pixel_figures(fake_N3HW: Tensor, real_N3HW: Tensor) -> dict[str, Tensor]:
    """Return mean squared error and peak signal-to-noise ratio in dB, each [N]."""
    mse = (fake_N3HW - real_N3HW).square().mean(dim=(1, 2, 3))
    psnr = peak_signal_noise_ratio(fake_N3HW, real_N3HW, data_range=1.0, reduction="none", dim=(1, 2, 3))
    return {MSE: mse, PSNR: torch.clamp(psnr, max=HIGHEST_PSNR_DB)}


def similarity(fake_N3HW: Tensor, real_N3HW: Tensor) -> Tensor:
    """Return structural similarity [N], 1 for equal frames (Gaussian window of 11 pixels, as in the original paper)."""
    found = structural_similarity_index_measure(fake_N3HW, real_N3HW, data_range=1.0, reduction="none")
    assert isinstance(found, Tensor)
    return found.reshape(len(fake_N3HW))
