"""The parts of benchmarks.avsyncd_tiny: sizes, training of autoencoder and audio encoder, and files as they are published."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from benchmarks import tempotokens_tiny
from benchmarks.swelling_scene import colour_of, frames, levels, made_sound
from training.diffusion import stable_diffusion
from training.diffusion.avsyncd import published
from training.diffusion.avsyncd.config import FPS, FRAMES, UNetConfig, written_config
from training.diffusion.avsyncd.sampling import seen_tokens
from training.diffusion.avsyncd.unet import VideoUNet
from training.diffusion.filter_bank import IMAGEBIND, FilterBank
from training.diffusion.imagebind_audio import (
    PARTS,
    SOUND_S,
    ImageBindAudio,
    ImageBindAudioConfig,
    levels_of,
    segment_mask,
)

# B batch, C channels, H W rows and columns, F frames, S samples, V tokens that a frame sees, D numbers of a token

TEXT = "swelling disc"
MODEL = "avsync15"
SIZES = UNetConfig(channels=(32, 64), layers=1, heads=4, groups=8, text_size=32, sound_size=64)
SOUND_SIZES = ImageBindAudioConfig(size=64, layers=2, heads=1, embedding_size=16)
VAE = {**tempotokens_tiny.VAE, "block_out_channels": [8, 16, 32, 32], "norm_num_groups": 8}
VAE_ITERATIONS, AUDIO_ITERATIONS, EVERY = 1000, 1500, 100
KL_WEIGHT = 1e-6


def train_vae() -> Any:
    """Return an autoencoder of frames of the scene; its latents are scaled to a deviation of 1."""
    torch.manual_seed(1)
    vae, random = stable_diffusion.vae_from(VAE).train(), np.random.default_rng(10)

    def loss() -> tuple[Tensor, str]:
        real = _frames(random, 16)
        found = vae.encode(real).latent_dist
        made = vae.decode(found.mean + found.std * torch.randn_like(found.mean)).sample
        error = functional.mse_loss(made, real)
        told = f"autoencoder {10.0 * np.log10(4.0 / error.item()):.1f} dB"
        return functional.l1_loss(made, real) + error + KL_WEIGHT * found.kl().mean(), told

    fit(vae.parameters(), loss, VAE_ITERATIONS, 2e-3)
    with torch.no_grad():
        deviation = vae.encode(_frames(random, 128)).latent_dist.mean.std().item()
    vae.register_to_config(scaling_factor=1.0 / deviation)
    return vae


def fit(
    learned: Iterable[nn.Parameter], loss: Callable[[], tuple[Tensor, str]], iterations: int, learning_rate: float
) -> None:
    """Let weights learn by a loss, which comes with what is printed of it."""
    optimiser = torch.optim.Adam(learned, lr=learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, iterations)
    begun_s = time.monotonic()
    for number in range(1, iterations + 1):
        found, told = loss()
        optimiser.zero_grad()
        found.backward()
        optimiser.step()
        schedule.step()
        if number % EVERY == 0:
            print(f"{told}, {number} of {iterations} iterations, {time.monotonic() - begun_s:.0f} s", flush=True)


def _frames(random: np.random.Generator, count: int) -> Tensor:
    found = [frames(random.uniform(size=1), colour_of(random))[0] for _ in range(count)]
    return torch.from_numpy(np.stack(found)).permute(0, 3, 1, 2) / 127.5 - 1.0


def train_audio() -> ImageBindAudio:
    """Return an audio encoder whose tokens of a frame's part of the sound tell its level."""
    torch.manual_seed(1)
    # What stands behind the trunk is ones and zeros in ImageBind's file, and not trained.
    audio, random, bank = ImageBindAudio(SOUND_SIZES), np.random.default_rng(20), FilterBank(IMAGEBIND)
    audio.final_layer_norm.requires_grad_(False)
    told, mask = nn.Linear(SOUND_SIZES.size, 1), segment_mask(SOUND_SIZES, FRAMES)
    learned = [p for p in (*audio.parameters(), *told.parameters()) if p.requires_grad]

    def loss() -> tuple[Tensor, str]:
        sounds = [made_sound(random, SOUND_S) for _ in range(16)]
        levels_BF = torch.from_numpy(np.stack([levels(sound_S, FPS) for sound_S in sounds])).float()
        seen_BFVD = seen_tokens(audio(levels_of(torch.from_numpy(np.stack(sounds)), bank)), mask)
        error = functional.mse_loss(told(seen_BFVD.mean(dim=2))[..., 0], levels_BF)
        return error, f"audio encoder {error.item() ** 0.5:.3f} off"

    fit(learned, loss, AUDIO_ITERATIONS, 1e-3)
    return audio


def write_fixed(folder: Path) -> None:
    """Write what is not trained: a text encoder with random weights, words, and the schedule of Stable Diffusion."""
    base = folder / published.BASE
    _config(folder / published.TEXT, tempotokens_tiny.TEXT)
    encoder = tempotokens_tiny.draw_weights(stable_diffusion.text_encoder_of(base / "text_encoder"), 3)
    prefix = stable_diffusion.TEXT_PREFIX
    torch.save({prefix + name: value for name, value in encoder.state_dict().items()}, folder / published.TEXT)
    tempotokens_tiny.write_tokenizer(base / "tokenizer", tempotokens_tiny.TEXT["vocab_size"])
    schedule = {**tempotokens_tiny.SCHEDULER, "_class_name": "PNDMScheduler"}
    (base / "scheduler").mkdir(parents=True, exist_ok=True)
    (folder / published.SCHEDULER).write_text(json.dumps(schedule))


def write_vae(file: Path, vae: Any) -> None:
    """Write it with its configuration; any Stable Diffusion has it so."""
    _config(file, dict(vae.config))
    torch.save(vae.state_dict(), file)


def write_audio(folder: Path, audio: ImageBindAudio) -> None:
    """Write it by the names of ImageBind's own file."""
    (folder / published.AUDIO).parent.mkdir(parents=True, exist_ok=True)
    parts = [(name, *name.partition(".")[::2]) for name in audio.state_dict()]
    named = {f"{PARTS[part]}.{rest}": audio.state_dict()[name] for name, part, rest in parts if part in PARTS}
    torch.save(named, folder / published.AUDIO)


def write_unet(folder: Path, unet: VideoUNet) -> None:
    file = folder / published.unet_file(MODEL)
    _config(file, written_config(unet.config))
    save_file({name: value.contiguous() for name, value in unet.state_dict().items()}, file)


def _config(weights: Path, values: dict[str, Any]) -> None:
    weights.parent.mkdir(parents=True, exist_ok=True)
    weights.with_name("config.json").write_text(json.dumps(values, default=str))
