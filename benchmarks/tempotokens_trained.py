"""A tiny TempoTokens that follows sound, in the layout of the published weights: what is published of it, and clips to train a mapper on.

    python -m benchmarks.tempotokens_trained FOLDER [--minutes N]

The text-to-video model that TempoTokens stands on cannot be had here, so each part is trained on the made scene of swelling_scene.py: the
autoencoder on frames; the audio encoder on the level of each frame's sound, then frozen; the UNet on clips of thousands of sounds, with two
words beside each frame, a small disc and a large one, mixed as the level says. So it draws what a context tells and knows nothing of sound.
FOLDER/clips holds clips with sound; `training.diffusion.tempotokens.train` trains the mapper on them, with all else frozen.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from benchmarks import tempotokens_tiny
from benchmarks.swelling_scene import RATE_HZ, SIDE, frames, levels, made_sound
from benchmarks.tiny_teacher import fit, train_vae, write_vae
from engine.core.errors import run_main
from training.data.clip_sound import resampled
from training.diffusion import stable_diffusion
from training.diffusion.beats import Beats, BeatsConfig
from training.diffusion.render_family import RENDER_RATE_HZ
from training.diffusion.tempotokens import published
from training.diffusion.tempotokens.audio_mapper import pseudo_tokens
from training.diffusion.tempotokens.frame_contexts import contexts, read_prompt
from training.diffusion.tempotokens.frame_unet import FrameUNet
from training.diffusion.tempotokens.mapper_training import noise_loss
from training.diffusion.tempotokens.settings import DEFAULT_RATE, SEGMENT_FRAMES
from training.families.offline import render_file

# B batch, F frames, L words and D channels of a context, C channels of latents, H W rows and columns, S samples

FPS, SEGMENT_S = DEFAULT_RATE, SEGMENT_FRAMES / DEFAULT_RATE
COLOUR = np.array([240.0, 150.0, 50.0])
"""One for all clips, as there is no still that would tell it."""
BEATS = {**tempotokens_tiny.BEATS, "conv_pos": 128}
"""Its convolution reaches both ends of a segment from everywhere: so a token can tell which moment it is."""
UNET = {**tempotokens_tiny.UNET, "norm_num_groups": 8}
BATCH, LEARNING_RATE, SLOWEST, EMPTY_SHARE = 4, 1e-3, 0.02, 0.15
"""Clips of an iteration, the learning rate and which part of it is left at the end, and the share of clips with the empty text."""
TABLE, AUDIO_ITERATIONS, EVERY = 256, 1500, 100
CLIPS, CLIP_S = 160, 6.0


class Scene:
    """Clips as the UNet sees them, and contexts that tell the level."""

    def __init__(self, folder: Path) -> None:
        cpu, kind = torch.device("cpu"), torch.float32
        tokenizer = stable_diffusion.tokenizer_of((folder / published.VOCABULARY).parent)
        self._text = stable_diffusion.open_text_encoder(folder / published.TEXT, cpu, kind)
        self._prompt = read_prompt(tokenizer, "", True)
        self._empty_1LD = contexts(self._text, read_prompt(tokenizer, "", False))
        words = self._text.get_input_embeddings().weight
        self._small_C, self._large_C = (words[tokenizer.encode(letter, add_special_tokens=False)[0]] for letter in "sl")
        vae: Any = stable_diffusion.open_vae(folder / published.VAE, cpu, kind)
        # All clips have one colour, so a level has one frame, and is encoded once.
        pixels = torch.from_numpy(frames(np.linspace(0.0, 1.0, TABLE), COLOUR)).permute(0, 3, 1, 2) / 127.5 - 1.0
        with torch.no_grad():
            self._latents_TCHW = vae.encode(pixels).latent_dist.mean * vae.config.scaling_factor

    def levels(self, random: np.random.Generator, count: int) -> Tensor:
        """Return the levels [B, F] of made sounds."""
        return levels_of([made_sound(random, SEGMENT_S) for _ in range(count)])

    def latents(self, level_BF: Tensor) -> Tensor:
        return self._latents_TCHW[(level_BF * (TABLE - 1)).round().long()].transpose(1, 2)

    @torch.no_grad()
    def contexts(self, level_BF: Tensor) -> Tensor:
        """Return the contexts [B, F, L, D] that tell a level, by the pseudo-tokens of a mapper that hears it exactly."""
        tokens_BFC = self._small_C + level_BF[..., None] * (self._large_C - self._small_C)
        pseudo_BFPC = pseudo_tokens(tokens_BFC, tokens_BFC.mean(dim=1))
        return torch.stack([self.contexts_of(pseudo_FPC) for pseudo_FPC in pseudo_BFPC])

    def contexts_of(self, pseudo_FPC: Tensor) -> Tensor:
        """Return the contexts [F, L, D] of pseudo-tokens."""
        return contexts(self._text, self._prompt, pseudo_FPC)

    def without_some(self, given_BFLD: Tensor) -> Tensor:
        """Return contexts of which some clips' are those of the empty text."""
        is_empty_B = torch.rand(len(given_BFLD)) < EMPTY_SHARE
        return torch.where(is_empty_B[:, None, None, None], self._empty_1LD, given_BFLD)


def levels_of(sounds: Iterable[NDArray[np.float32]]) -> Tensor:
    """Return the levels [B, F] of the frames of a segment of each sound."""
    return torch.from_numpy(np.stack([levels(sound_S, FPS)[:SEGMENT_FRAMES] for sound_S in sounds])).float()


def drawn(latents: Tensor) -> tuple[Tensor, Tensor]:
    return torch.randint(tempotokens_tiny.SCHEDULER["num_train_timesteps"], (len(latents),)), torch.randn_like(latents)


def train_unet(folder: Path, minutes: float) -> None:
    """Train the UNet for some minutes, from the file where there is one, and write it."""
    scene, random = Scene(folder), np.random.default_rng(30)
    held_BF = scene.levels(np.random.default_rng(31), 32)
    shares_T = published.scheduler_of(folder / published.SCHEDULER).alphas_cumprod
    torch.manual_seed(2)
    file = folder / published.UNET
    network = (
        published.open_unet(file, torch.device("cpu"), torch.float32) if file.is_file() else published.unet_from(UNET)
    )
    # Without dropout, of which diffusers has some here.
    unet = FrameUNet(network.requires_grad_(True).eval())
    print(f"UNet: {sum(p.numel() for p in unet.parameters()):,} weights", flush=True)
    optimiser = torch.optim.Adam(unet.parameters(), lr=LEARNING_RATE)
    begun_s, iteration, recent = time.monotonic(), 0, list[float]()
    while (spent := (time.monotonic() - begun_s) / 60.0) < minutes:
        rate = SLOWEST + (1.0 - SLOWEST) * 0.5 * (1.0 + math.cos(math.pi * spent / minutes))
        optimiser.param_groups[0]["lr"] = LEARNING_RATE * rate
        level_BF = scene.levels(random, BATCH)
        latents = scene.latents(level_BF)
        given_BFLD = scene.without_some(scene.contexts(level_BF))
        loss = noise_loss(unet, shares_T, latents, given_BFLD, drawn(latents))
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(unet.parameters(), 1.0)
        optimiser.step()
        iteration += 1
        recent.append(loss.item())
        if iteration % EVERY == 0:
            own, others = held_losses(unet, scene, shares_T, held_BF)
            print(
                f"{spent:.1f} min, iteration {iteration}: {np.mean(recent[-EVERY:]):.4f}; held out {own:.4f}, with another's level {others:.4f}",
                flush=True,
            )
            write_unet(folder, network)
    write_unet(folder, network)


@torch.no_grad()
def held_losses(unet: FrameUNet, scene: Scene, shares_T: Tensor, level_BF: Tensor) -> tuple[float, float]:
    """Return the loss on clips that were not trained, with contexts of their own levels and of another's."""
    latents, given_BFLD = scene.latents(level_BF), scene.contexts(level_BF)
    with torch.random.fork_rng():
        torch.manual_seed(7)
        draws = drawn(latents)
    own, others = (
        noise_loss(unet, shares_T, latents, given, draws).item() for given in (given_BFLD, given_BFLD.roll(1, 0))
    )
    return own, others


def train_beats() -> Beats:
    """Return an audio encoder whose tokens tell the level of their frame."""
    torch.manual_seed(1)
    beats, random = Beats(BeatsConfig.of_file(BEATS)), np.random.default_rng(20)
    told = nn.Linear(beats.config.feature_size, 1)

    def loss() -> tuple[Tensor, str]:
        sounds = [made_sound(random, SEGMENT_S) for _ in range(16)]
        level_BF = levels_of(sounds)
        tokens_BFNI = beats(torch.from_numpy(np.stack(sounds))).unflatten(1, (SEGMENT_FRAMES, -1))
        error = functional.mse_loss(told(tokens_BFNI.mean(dim=2))[..., 0], level_BF)
        return error, f"audio encoder {error.item() ** 0.5:.3f} off"

    fit([*beats.parameters(), *told.parameters()], loss, AUDIO_ITERATIONS, 1e-3)
    return beats


def write_unet(folder: Path, unet: nn.Module) -> None:
    file = folder / published.UNET
    file.parent.mkdir(parents=True, exist_ok=True)
    file.with_name("config.json").write_text(json.dumps(UNET))
    tempotokens_tiny.write_network(file, unet)


class SceneFilm:
    """The scene as a family that renders films."""

    name, sample_rate_hz, fps, width, height = "swelling disc", RENDER_RATE_HZ, FPS, SIDE, SIDE

    def render(self, sound_S: Any) -> Any:
        """Yield the frames [H, W, 3] of a sound."""
        yield from frames(levels(resampled(sound_S, RENDER_RATE_HZ, RATE_HZ), FPS), COLOUR)


def write_clips(folder: Path) -> None:
    """Write clips of sounds, those that are not there."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(CLIPS):
        if not (film := folder / f"{number:03}.mp4").exists():
            sound_S = resampled(made_sound(np.random.default_rng([40, number]), CLIP_S), RATE_HZ, RENDER_RATE_HZ)
            render_file(SceneFilm(), sound_S, film, "choose another folder")


def main() -> int:
    parser = argparse.ArgumentParser(description="Write a folder of a tiny TempoTokens to train a mapper for.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=20.0, help="for the UNet; the other parts take about 12")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    tempotokens_tiny.write_words(folder)
    if not (folder / published.VAE).exists():
        write_vae(folder / published.VAE, train_vae())
    if arguments.minutes:
        train_unet(folder, arguments.minutes)
    if not (folder / published.BEATS_FILE).exists():
        tempotokens_tiny.write_beats(folder, train_beats(), BEATS)
    write_clips(folder / "clips")
    print(f"{folder}: a tiny TempoTokens; train a mapper on {folder / 'clips'}")
    return 0


if __name__ == "__main__":
    run_main(main)
