"""Quality of a generated frame beside the clip's frame at the same time: MSE, PSNR and SSIM, from torchmetrics.

Frames are in [0, 1], rounded to 8 bits. All figures are means over a frame; PSNR and SSIM are higher for similar frames.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

# B streams, T frames, N frames, H W rows and columns

HIGHEST_PSNR_DB = 100.0  # for equal frames, whose PSNR is infinite
MSE, PSNR, SSIM = "MSE", "PSNR (dB)", "SSIM"
QUALITY = {"mse": MSE, "psnr_db": PSNR, "ssim": SSIM}
"""The figures by their names in a run log."""
SSIM_FRAMES = 4  # SSIM costs far more than the others


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


@torch.no_grad()
def quality_of(fake_BTCHW: Tensor, real_BTCHW: Tensor) -> dict[str, Tensor]:
    """Return the mean figures of frames in [-1, 1] by their names in a run log; SSIM of up to SSIM_FRAMES, spread evenly."""
    fake, real = (
        ((each.float().flatten(0, 1) + 1.0) * 127.5).round().clamp(0, 255) / 255.0 for each in (fake_BTCHW, real_BTCHW)
    )
    some = torch.linspace(0, len(fake) - 1, min(SSIM_FRAMES, len(fake)), device=fake.device).round().long()
    found = {**pixel_figures(fake, real), SSIM: similarity(fake[some], real[some])}
    return {name: found[label].mean() for name, label in QUALITY.items()}
