"""The way from noise to latents: classifier-free guidance, windows over the frames, and a scheduler of diffusers.

Where a clip is longer than a window, each step lays the windows elsewhere, so that no border stays. The original rotates the
frames for this, denoises its windows one by one and exchanges the scheduler's memory for each. DPM-Solver++ treats every number
by itself, so here the noise of all frames is predicted first, and one step of the scheduler follows: the same numbers. The frames
take their contexts with them, which they do not in the original, where a rotated clip no longer goes with its sound.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from engine.core.errors import TrainingError

# F frames of the clip, W frames of a window, C channels of latents, H W rows and columns, L tokens and D channels of a context

Watch = Callable[[Tensor], None]
"""Is told the clip [1, C, F, H, W] as each step expects it to become."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a clip is denoised. Steps and guidance are those of the original's command."""

    steps: int = 25
    guidance: float = 25.0
    """How far the prediction goes from that of the empty text to that of the context; 1: no guidance."""
    window_frames: int = 24
    loop: bool = False
    """Windows go round over the end, so that the first frame follows the last."""
    halves_apart: bool = False
    """Predict with and without context one after the other: less memory, more time."""

    def __post_init__(self) -> None:
        for name, value, least in (
            ("--steps", self.steps, 1),
            ("--guidance", self.guidance, 1.0),
            ("--window-frames", self.window_frames, 1),
        ):
            if not value >= least or value == math.inf:
                raise TrainingError(f"{name} is {value:g}; at least {least:g}, and a finite number, was expected.")

    def windows_per_step(self, frames: int) -> int:
        """Return how many windows a step has at most."""
        if frames <= self.window_frames:
            return 1
        return -(-frames // self.window_frames) + (0 if self.loop else 1)


def primes_up_to(most: int) -> list[int]:
    """Return the prime numbers, by which windows are shifted: no two steps have the same borders soon."""
    return [n for n in range(2, most + 1) if all(n % divisor for divisor in range(2, int(n**0.5) + 1))]


def windows(frames: int, window: int, shift: int, loop: bool) -> list[Tensor]:
    """Return the frames of each window [W]: together all frames, some twice where a border is met.

    With `loop`, windows go over the end to the first frames; else those that would are moved inside.
    """
    if frames <= window:
        around = torch.arange(frames)
        return [(around - shift) % frames if loop else around]
    count = -(-frames // window)
    if loop:
        return [(torch.arange(window) + k * window - shift) % frames for k in range(count)]
    starts = sorted({min(max(k * window - shift % window, 0), frames - window) for k in range(count + 1)})
    return [torch.arange(start, start + window) for start in starts]


@torch.no_grad()
def denoise(
    unet: nn.Module,
    scheduler: Any,
    noise_1CFHW: Tensor,
    contexts: tuple[Tensor, Tensor],
    sampling: Sampling,
    shifts: Sequence[int] = (0,),
    watch: Watch = lambda clip: None,
) -> Tensor:
    """Return the latents [1, C, F, H, W] of a clip.

    `contexts` are those of the frames [F, L, D], or [1, L, D] for all of them, and that of the empty text [1, L, D]. `shifts`
    are added up, one a step, in turns.
    """
    frames = noise_1CFHW.shape[2]
    given_FLD, empty_1LD = contexts
    given_FLD = given_FLD.expand(frames, -1, -1)
    scheduler.set_timesteps(sampling.steps, device=noise_1CFHW.device)
    latents, shift = noise_1CFHW * scheduler.init_noise_sigma, 0
    for number, timestep in enumerate(scheduler.timesteps):
        shift += shifts[number % len(shifts)]
        predicted, times = torch.zeros_like(latents), torch.zeros(frames, device=latents.device)
        for chosen_W in windows(frames, sampling.window_frames, shift, sampling.loop):
            chosen_W = chosen_W.to(latents.device)
            some = scheduler.scale_model_input(latents[:, :, chosen_W], timestep)
            noise = guided(unet, some, timestep, (given_FLD[chosen_W], empty_1LD), sampling)
            predicted.index_add_(2, chosen_W, noise.to(predicted.dtype))
            times.index_add_(0, chosen_W, torch.ones_like(times[chosen_W]))
        latents = scheduler.step(predicted / times[:, None, None], timestep, latents).prev_sample
        watch(scheduler.model_outputs[-1])
    return latents


def guided(
    unet: nn.Module, latents_1CWHW: Tensor, timestep: Tensor, contexts: tuple[Tensor, Tensor], sampling: Sampling
) -> Tensor:
    """Return the noise in the latents of one window, with guidance (Ho and Salimans, arXiv 2207.12598), in float32."""
    given_WLD, empty_1LD = contexts
    kind = given_WLD.dtype
    if sampling.guidance <= 1.0:
        return unet(latents_1CWHW.to(kind), timestep, given_WLD[None]).float()
    empty_WLD = empty_1LD.expand_as(given_WLD)
    if sampling.halves_apart:
        without, with_context = (
            unet(latents_1CWHW.to(kind), timestep, context[None]).float() for context in (empty_WLD, given_WLD)
        )
    else:
        both = torch.stack([empty_WLD, given_WLD])
        without, with_context = unet(latents_1CWHW.to(kind).expand(2, -1, -1, -1, -1), timestep, both).float().chunk(2)
    return without + sampling.guidance * (with_context - without)


@torch.no_grad()
def decode(vae: Any, latents_1CFHW: Tensor) -> Tensor:
    """Return the frames [F, H, W, 3] of latents as bytes; a fraction of a level is cut off, as the original does."""
    latents_FCHW = latents_1CFHW[0].transpose(0, 1) / vae.config.scaling_factor
    pixels_FCHW = vae.decode(latents_FCHW.to(next(vae.parameters()).dtype)).sample.float()
    return pixels_FCHW.clamp(-1.0, 1.0).add(1.0).mul(127.5).byte().permute(0, 2, 3, 1)
