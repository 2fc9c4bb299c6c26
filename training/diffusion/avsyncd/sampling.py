"""The denoising of AVSyncD: from noise behind a still to the latents of a clip, guided by the text and by the sound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from engine.core.errors import TrainingError
from training.diffusion.avsyncd.chaining import Led
from training.diffusion.avsyncd.transformer import Conditions

# B batch, C channels, F frames, H W rows and columns, K T tokens, V tokens that a frame sees, D numbers of a token, G segments

MOST_GUIDANCE = 100.0


class Scheduler(Protocol):
    """A scheduler of diffusers: PNDM, DPM-Solver, DDIM."""

    timesteps: Any
    init_noise_sigma: Any

    def set_timesteps(self, num_inference_steps: int) -> None: ...
    def scale_model_input(self, sample: Tensor, timestep: Any) -> Tensor: ...
    def add_noise(self, original_samples: Tensor, noise: Tensor, timesteps: Any) -> Tensor: ...
    def step(self, model_output: Tensor, timestep: Any, sample: Tensor) -> Any: ...


Noise = Callable[[Tensor, Tensor, Conditions], Tensor]
"""Latents [B, C, F, H, W], timestep, conditions -> the noise in them; a `VideoUNet`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Guidance:
    """How far the noise is moved towards what the text and the sound make of it; 1 is as it is. The defaults are the published ones."""

    text: float = 1.0
    sound: float = 4.0

    def __post_init__(self) -> None:
        for name, value in (("text", self.text), ("audio", self.sound)):
            if not 1.0 <= value <= MOST_GUIDANCE:
                raise TrainingError(
                    f"The {name} guidance is {value:g}; from 1, which leaves the model as it is, to {MOST_GUIDANCE:g} was expected."
                )

    @property
    def branches(self) -> int:
        """How often the UNet is called in one step."""
        return 1 + (self.sound != 1.0) + (self.text != 1.0)


@dataclass(frozen=True, slots=True)
class Given:
    """What a clip is made of, and what stands for nothing."""

    text_BKD: Tensor
    null_text_BKD: Tensor
    sound_BFVD: Tensor
    null_sound_BFVD: Tensor
    """Of each frame: the tokens of its part of the sound, and of no sound."""


def seen_tokens(tokens_BTD: Tensor, mask_GT: Tensor) -> Tensor:
    """Return the tokens [B, G, V, D] that each segment sees. Attention to these alone is attention to all of them under the mask."""
    counts_G = mask_GT.sum(dim=1)
    assert (counts_G == counts_G[0]).all(), counts_G
    places_GV = mask_GT.nonzero()[:, 1].unflatten(0, (len(mask_GT), -1))
    return tokens_BTD[:, places_GV.to(tokens_BTD.device)]


def guided_noise(unet: Noise, latents: Tensor, timestep: Tensor, given: Given, guidance: Guidance) -> Tensor:
    """Return e_u + w_t (e_t - e_u) + w_a (e_ta - e_t), of the noise for nothing, for the text, and for text and sound.

    Terms without weight are not computed. With text guidance alone the original compares text and null text with the sound in both.
    """
    both = unet(latents, timestep, Conditions(given.text_BKD, given.sound_BFVD))
    if guidance.text == 1.0 and guidance.sound == 1.0:
        return both
    if guidance.sound == 1.0:
        without_text = unet(latents, timestep, Conditions(given.null_text_BKD, given.sound_BFVD))
        return without_text + guidance.text * (both - without_text)
    text = unet(latents, timestep, Conditions(given.text_BKD, given.null_sound_BFVD))
    by_sound = guidance.sound * (both - text)
    if guidance.text == 1.0:
        return text + by_sound
    nothing = unet(latents, timestep, Conditions(given.null_text_BKD, given.null_sound_BFVD))
    return nothing + guidance.text * (text - nothing) + by_sound


@torch.no_grad()
def denoise(
    unet: Noise,
    scheduler: Scheduler,
    first_BCHW: Tensor,
    noise: Tensor,
    given: Given,
    guidance: Guidance,
    tell: Callable[[int, int], None] = lambda done, steps: None,
    led: Sequence[Led[Tensor]] = (),
) -> Tensor:
    """Return the latents [B, C, F, H, W] of a clip that begins with `first_BCHW`, which stays as it is.

    `noise` [B, C, F - 1, H, W] is what the other frames begin with; the scheduler has its timesteps (`set_timesteps`). `tell` gets the
    number of steps that are done and that there are. Frames that are `led` to latents [B, C, H, W] begin each step, as long as they
    are, as these with as much of their own noise as the step expects.
    """
    latents = torch.cat([first_BCHW[:, :, None], noise], dim=2) * scheduler.init_noise_sigma
    timesteps = scheduler.timesteps
    for number, timestep in enumerate(timesteps):
        for frame in led:
            if number < frame.share * len(timesteps):
                when = torch.as_tensor(timestep)[None]
                latents[:, :, frame.place] = scheduler.add_noise(frame.like, noise[:, :, frame.place - 1], when)
        scaled = scheduler.scale_model_input(latents, timestep)
        predicted = guided_noise(unet, scaled, torch.as_tensor(timestep), given, guidance)
        # In place, as the original does: PNDM keeps a view of what its first step began with, and goes on from what it holds by then.
        latents[:, :, 1:] = scheduler.step(predicted[:, :, 1:], timestep, latents[:, :, 1:]).prev_sample
        tell(number + 1, len(timesteps))
    return latents
