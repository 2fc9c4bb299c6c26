"""Futures: sequences that go on from real context frames, drawn several times, and how good and how different they are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from training.families.sound2sight.model import Sound2Sight
from training.loop.validation import continued
from training.losses.quality import PSNR, pixel_figures, similarity

# B sequences, T frames, W window samples, C colours, H W rows and columns


@dataclass(frozen=True, slots=True)
class FutureFigures:
    """Figures of drawn futures by frame after the context [T], means of all sequences."""

    psnr_db: list[float]
    """Of the best of the drawn futures, at each frame by itself, as the original counts."""
    ssim: list[float]
    copied_psnr_db: list[float]
    """Of the last context frame, shown again and again: the floor."""
    copied_ssim: list[float]
    diversity: float
    """1 - SSIM between two futures of the same context and sound, the mean of neighbouring draws: 0 where they are all alike, NaN,
    undefined, of a single draw."""


def future_figures(
    model: Sound2Sight, frames_BTCHW: Tensor, audio_BTW: Tensor, samples: int, noise_source: torch.Generator
) -> FutureFigures:
    """Draw so many futures of each sequence, after the context frames of the model, and compare them with the real frames."""
    context = model.generator.config.context_frames
    real = frames_BTCHW[:, context:]
    drawn = [continued(model, frames_BTCHW, audio_BTW, context, noise_source) for _ in range(samples)]
    copied = frames_BTCHW[:, context - 1 : context].expand_as(real)
    found = [compared(one, real) for one in drawn]
    between = [1.0 - float(compared(one, other)[1].mean()) for one, other in pairwise(drawn)]
    best_psnr_db, best_ssim = (torch.stack(figures).amax(dim=0).mean(dim=0) for figures in zip(*found, strict=True))
    copied_psnr_db, copied_ssim = (figures.mean(dim=0) for figures in compared(copied, real))
    return FutureFigures(
        psnr_db=best_psnr_db.tolist(),
        ssim=best_ssim.tolist(),
        copied_psnr_db=copied_psnr_db.tolist(),
        copied_ssim=copied_ssim.tolist(),
        diversity=sum(between) / len(between) if between else math.nan,
    )


def compared(fake_BTCHW: Tensor, real_BTCHW: Tensor) -> tuple[Tensor, Tensor]:
    """Return PSNR in dB and SSIM [B, T] of frames in [-1, 1]."""
    fake, real = ((one.flatten(0, 1) + 1.0) / 2.0 for one in (fake_BTCHW, real_BTCHW))
    size = real_BTCHW.shape[:2]
    return pixel_figures(fake, real)[PSNR].unflatten(0, size), similarity(fake, real).unflatten(0, size)
