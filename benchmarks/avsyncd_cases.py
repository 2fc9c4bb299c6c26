"""Small cases of AVSyncD with random weights: what benchmarks.avsyncd_parity gives to the original's code and to this project's.

Everything is drawn by its name with numpy, so it is the same on every machine and in every order. The original's values are kept
with the tests (--write), which compare without the original.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from training.diffusion.avsyncd.config import FRAMES, UNetConfig
from training.diffusion.avsyncd.objective import Draws, noise_loss
from training.diffusion.avsyncd.published import SAMPLERS
from training.diffusion.avsyncd.sampling import Given, Guidance, denoise, seen_tokens
from training.diffusion.avsyncd.transformer import Conditions
from training.diffusion.avsyncd.unet import VideoUNet
from training.diffusion.imagebind_audio import ImageBindAudio, ImageBindAudioConfig, segment_mask

SMALL = UNetConfig(channels=(16, 32, 32), heads=4, groups=8, text_size=24, sound_size=32)
SMALL_AUDIO = ImageBindAudioConfig(size=32, layers=2, heads=4, embedding_size=16)
SIDES = ((4, 8), (6, 5))
"""Rows and columns of latents; the second size is odd on the way down."""
TIMESTEPS = (981, 21)
STEPS = 4
GUIDANCE = ((1.0, 4.0), (3.0, 4.0), (3.0, 1.0), (1.0, 1.0))
"""Of the text and of the audio."""
GAIN = 0.7
"""Of random weights: values then stay near 1 on their way through the UNet, so that differences are those of rounding near 1."""
EVERY = 4
"""Of the audio encoder's tokens every fourth is kept."""
_SCHEDULE: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
}
SCHEDULERS: dict[str, Callable[[], Any]] = {
    "PNDM": lambda: SAMPLERS["pndm"](skip_prk_steps=True, **_SCHEDULE),
    "DPM-Solver": lambda: SAMPLERS["dpm"](**_SCHEDULE),
}
Values = dict[str, Tensor]


def drawn(name: str, *shape: int) -> Tensor:
    """Return normal numbers that the name decides."""
    numbers = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape)
    return torch.from_numpy(numbers.astype(np.float32))


def give_weights(module: nn.Module) -> None:
    """Draw every weight by its name, also those that are 0 before training, with gains that neither explode nor vanish."""
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if not value.is_floating_point():
                continue
            fan_in = value[0].numel() if value.dim() > 1 else 4.0
            value.copy_(GAIN * drawn(name, *value.shape) / fan_in**0.5)
    module.eval()


def levels() -> Tensor:
    return drawn("levels", 1, 1, SMALL_AUDIO.mel_bands, SMALL_AUDIO.columns)


def texts() -> tuple[Tensor, Tensor]:
    """Tokens of a text and of none."""
    return drawn("text", 1, 7, SMALL.text_size), drawn("null text", 1, 7, SMALL.text_size)


def still_and_noise() -> tuple[Tensor, Tensor]:
    """Latents of the first frame, and what the others begin with."""
    rows, columns = SIDES[0]
    noise = drawn("noise", 1, SMALL.latent_channels, FRAMES - 1, rows, columns)
    return drawn("still", 1, SMALL.latent_channels, rows, columns), noise


def step_inputs(sides: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Latents, timesteps, tokens of text and tokens of sound for one step of two videos."""
    latents = drawn(f"latents {sides}", 2, SMALL.latent_channels, FRAMES, *sides)
    text, sound = drawn("texts", 2, 7, SMALL.text_size), drawn("sounds", 2, SMALL_AUDIO.tokens, SMALL_AUDIO.size)
    return latents, torch.tensor(TIMESTEPS), text, sound


def sampling_name(scheduler: str, text: float, audio: float) -> str:
    return f"{STEPS} steps {scheduler}, text {text:g}, audio {audio:g}"


@torch.no_grad()
def audio_values(audio: ImageBindAudio) -> Values:
    return {
        "audio encoder": audio(levels())[:, ::EVERY],
        "null audio": audio.null_tokens()[:, ::EVERY],
        "audio embedding": audio.embedding(levels()),
    }


@torch.no_grad()
def step_value(unet: VideoUNet, sides: tuple[int, int]) -> Tensor:
    latents, timesteps, text, sound = step_inputs(sides)
    seen = seen_tokens(sound, segment_mask(SMALL_AUDIO, FRAMES))
    return unet(latents, timesteps, Conditions(text, seen))


def sampled(unet: VideoUNet, audio: ImageBindAudio, scheduler: Any, guidance: Guidance) -> Tensor:
    """Return the latents [1, C, F, H, W] after all steps."""
    mask = segment_mask(SMALL_AUDIO, FRAMES)
    with torch.no_grad():
        sound, nothing = (seen_tokens(tokens, mask) for tokens in (audio(levels()), audio.null_tokens()))
    scheduler.set_timesteps(STEPS)
    return denoise(unet, scheduler, *still_and_noise(), Given(*texts(), sound, nothing), guidance)


def training_inputs() -> tuple[Tensor, Tensor, Tensor]:
    """Latents [B, C, F, H, W] of two videos, the noise in them, and the levels of their sounds."""
    shape = (2, SMALL.latent_channels, FRAMES, *SIDES[0])
    sounds = drawn("training levels", 2, 1, SMALL_AUDIO.mel_bands, SMALL_AUDIO.columns)
    return drawn("training latents", *shape), drawn("training noise", *shape), sounds


@torch.no_grad()
def losses(unet: VideoUNet, audio: ImageBindAudio) -> Values:
    """Return the training losses with and without sound."""
    latents, noise, sounds = training_inputs()
    mask = segment_mask(SMALL_AUDIO, FRAMES)
    sound, nothing = (seen_tokens(tokens, mask) for tokens in (audio(sounds), audio.null_tokens()))
    text, null_text = (tokens.expand(2, -1, -1) for tokens in texts())
    given, steps = Given(text, null_text, sound, nothing.expand_as(sound)), torch.tensor(TIMESTEPS)
    return {
        f"training loss {name} sound": noise_loss(unet, latents, given, Draws(steps, noise, torch.tensor([keeps] * 2)))
        for name, keeps in (("with", True), ("without", False))
    }


def own_values(unet: VideoUNet, audio: ImageBindAudio) -> Values:
    """Return everything that is compared beside the single blocks."""
    values = audio_values(audio) | {f"UNet {sides[0]}x{sides[1]}": step_value(unet, sides) for sides in SIDES}
    for name, make in SCHEDULERS.items():
        for text, audio_guidance in GUIDANCE:
            guidance = Guidance(text=text, sound=audio_guidance)
            values[sampling_name(name, text, audio_guidance)] = sampled(unet, audio, make(), guidance)
    return values | losses(unet, audio)
