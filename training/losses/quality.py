"""Quality of a generated frame beside the clip's frame at the same time: MSE, PSNR and SSIM.

Frames are in [0, 1], rounded to 8 bits. All figures are means over a frame; PSNR and SSIM are higher for similar frames.

SSIM is written out here, and tested against torchmetrics: importing that library costs seconds and 120 MB at every start of a training.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

# B streams, T frames, N frames, H W rows and columns

HIGHEST_PSNR_DB = 100.0  # for equal frames, whose PSNR is infinite
MSE, PSNR, SSIM = "MSE", "PSNR (dB)", "SSIM"
QUALITY = {"mse": MSE, "psnr_db": PSNR, "ssim": SSIM}
"""The figures by their names in a run log."""
SSIM_FRAMES = 4  # SSIM costs far more than the others
WINDOW, WINDOW_DEVIATION = 11, 1.5
STABILISERS = 0.01**2, 0.03**2


def pixel_figures(fake_N3HW: Tensor, real_N3HW: Tensor) -> dict[str, Tensor]:
    """Return mean squared error and peak signal-to-noise ratio in dB, each [N]."""
    mse = (fake_N3HW - real_N3HW).square().mean(dim=(1, 2, 3))
    return {MSE: mse, PSNR: torch.clamp(-10.0 * torch.log10(mse), max=HIGHEST_PSNR_DB)}


def similarity(fake_N3HW: Tensor, real_N3HW: Tensor) -> Tensor:
    """Return structural similarity [N], 1 for equal frames (Wang et al. 2004: Gaussian window of 11 pixels, edges mirrored)."""
    mean_fake, mean_real, fake_square, real_square, product = _windowed(
        torch.stack([fake_N3HW, real_N3HW, fake_N3HW**2, real_N3HW**2, fake_N3HW * real_N3HW])
    )
    variances = (fake_square - mean_fake**2).clamp_min(0.0) + (real_square - mean_real**2).clamp_min(0.0)
    covariance = product - mean_fake * mean_real
    first, second = STABILISERS
    luminance = (2.0 * mean_fake * mean_real + first) / (mean_fake**2 + mean_real**2 + first)
    return (luminance * (2.0 * covariance + second) / (variances + second)).mean(dim=(1, 2, 3))


def _windowed(values: Tensor) -> Tensor:
    """Return the means of values [..., H, W] over a Gaussian window around each pixel."""
    reach = WINDOW // 2
    weights = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=values.device) / WINDOW_DEVIATION) ** 2)
    weights = weights / weights.sum()
    planes = values.reshape(-1, 1, *values.shape[-2:])
    planes = functional.conv2d(functional.pad(planes, (reach,) * 4, mode="reflect"), weights.view(1, 1, -1, 1))
    return functional.conv2d(planes, weights.view(1, 1, 1, -1)).view_as(values)


@torch.no_grad()
def quality_of(fake_BTCHW: Tensor, real_BTCHW: Tensor) -> dict[str, Tensor]:
    """Return the mean figures of frames in [-1, 1] by their names in a run log; SSIM of up to SSIM_FRAMES, spread evenly."""
    fake, real = (
        ((each.float().flatten(0, 1) + 1.0) * 127.5).round().clamp(0, 255) / 255.0 for each in (fake_BTCHW, real_BTCHW)
    )
    some = torch.linspace(0, len(fake) - 1, min(SSIM_FRAMES, len(fake)), device=fake.device).round().long()
    found = {**pixel_figures(fake, real), SSIM: similarity(fake[some], real[some])}
    return {name: found[label].mean() for name, label in QUALITY.items()}
