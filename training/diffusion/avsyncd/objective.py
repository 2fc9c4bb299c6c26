"""What AVSyncD is trained for: the noise in all frames but the first, with the sound left out now and then (arXiv 2403.05659)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.diffusion.avsyncd.sampling import Given, Noise
from training.diffusion.avsyncd.transformer import Conditions
from training.diffusion.avsyncd.unet import added_names

# B videos, C channels, F frames, H W rows and columns, N steps of the noise

SOUND_DROPOUT = 0.2
BETA_START, BETA_END, NOISE_STEPS = 0.00085, 0.012, 1000


@dataclass(frozen=True, slots=True)
class Draws:
    """The random numbers of one training step."""

    timestep_B: Tensor
    noise: Tensor
    """[B, C, F, H, W], of which the first frame's is not used."""
    keeps_sound_B: Tensor
    """Whether a video is trained with its sound."""


def draw(latents: Tensor, random: torch.Generator, sound_dropout: float = SOUND_DROPOUT) -> Draws:
    """Draw the numbers for videos [B, C, F, H, W], on the processor, so that a seed means the same on every device."""
    count = len(latents)
    timestep_B = torch.randint(0, NOISE_STEPS, (count,), generator=random)
    noise = torch.randn(latents.shape, generator=random)
    keeps_sound_B = torch.rand(count, generator=random) >= sound_dropout
    return Draws(timestep_B.to(latents.device), noise.to(latents), keeps_sound_B.to(latents.device))


def signal_shares() -> Tensor:
    """Return how much of the power is signal at each timestep [N]: the schedule of Stable Diffusion, linear in the root of beta."""
    beta_N = torch.linspace(BETA_START**0.5, BETA_END**0.5, NOISE_STEPS, dtype=torch.float64).square()
    return torch.cumprod(1.0 - beta_N, dim=0).float()


def noise_loss(unet: Noise, latents: Tensor, given: Given, draws: Draws) -> Tensor:
    """Return the mean square of what is wrong with the noise that the UNet finds in frames 2 to F of videos [B, C, F, H, W].

    The first frame is given without noise. Where the sound is left out, that of `given.null_sound_BFVD` stands in its place.
    """
    share = signal_shares().to(latents)[draws.timestep_B][:, None, None, None, None]
    noisy = share.sqrt() * latents[:, :, 1:] + (1.0 - share).sqrt() * draws.noise[:, :, 1:]
    sound = torch.where(draws.keeps_sound_B[:, None, None, None], given.sound_BFVD, given.null_sound_BFVD)
    found = unet(torch.cat([latents[:, :, :1], noisy], dim=2), draws.timestep_B, Conditions(given.text_BKD, sound))
    return functional.mse_loss(found[:, :, 1:].float(), draws.noise[:, :, 1:].float())


def train_what_is_added(unet: nn.Module) -> Iterator[nn.Parameter]:
    """Let only the parameters learn that AVSyncD adds to Stable Diffusion, and yield them."""
    added = set(added_names(unet))
    for name, parameter in unet.named_parameters():
        parameter.requires_grad_(name in added)
        if name in added:
            yield parameter
