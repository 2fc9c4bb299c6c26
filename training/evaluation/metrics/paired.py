"""Distances of a picture from the very picture that should have come: MSE, PSNR and SSIM, from torchmetrics.

Pictures are in [0, 1], as shown: rounded to 8 bits. All are means over a picture; PSNR and SSIM grow with likeness.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

# N pictures, H W rows and columns

HIGHEST_PSNR_DB = 100.0  # of equal pictures, which have none
MSE, PSNR, SSIM = "MSE", "PSNR (dB)", "SSIM"


def pixel_figures(fake_N3HW: Tensor, real_N3HW: Tensor) -> dict[str, Tensor]:
    """Return mean squared error and peak signal-to-noise ratio in dB, each [N]."""
    mse = (fake_N3HW - real_N3HW).square().mean(dim=(1, 2, 3))
    psnr = peak_signal_noise_ratio(fake_N3HW, real_N3HW, data_range=1.0, reduction="none", dim=(1, 2, 3))
    return {MSE: mse, PSNR: torch.clamp(psnr, max=HIGHEST_PSNR_DB)}


def similarity(fake_N3HW: Tensor, real_N3HW: Tensor) -> Tensor:
    """Return structural similarity [N], 1 for equal pictures (Gaussian window of 11 pixels, as its authors set it)."""
    found = structural_similarity_index_measure(fake_N3HW, real_N3HW, data_range=1.0, reduction="none")
    assert isinstance(found, Tensor)
    return found.reshape(len(fake_N3HW))
