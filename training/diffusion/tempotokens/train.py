"""Train the mapper of TempoTokens on clips, from random weights or on from a checkpoint.

    python -m training.diffusion.tempotokens.train CLIP.mp4 [CLIP.mp4 ...] --weights FOLDER --run-folder RUN [--config FILE.yaml] [--resume]

A clip may be a folder of clips. FOLDER is that of rendering; its mappers are not read. Checkpoints come into RUN, losses into
RUN/losses.jsonl. Copy learned_embeds.safetensors of a checkpoint to FOLDER/NAME and render with --mapper NAME. docs/diffusion.md says more.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.core.argument_parser import ArgumentParser
from engine.core.counted import counted
from engine.core.errors import MediaError, TrainingError, run_main
from engine.core.printable import print_line
from training.core import distributed
from training.core.device import choose_device
from training.data.clip_sound import read_sound
from training.data.frames import read_frames
from training.data.video import ClipFormat
from training.data.video_files import video_files
from training.diffusion import stable_diffusion
from training.diffusion.clip_choice import ClipChoice
from training.diffusion.filter_bank import BEATS
from training.diffusion.iterations import checkpoint_to_resume
from training.diffusion.recomputation import recompute
from training.diffusion.tempotokens import published
from training.diffusion.tempotokens.audio_mapper import AudioMapper, MapperConfig
from training.diffusion.tempotokens.frame_contexts import read_prompt
from training.diffusion.tempotokens.frame_unet import FrameUNet
from training.diffusion.tempotokens.learning_cost import cost_of_files
from training.diffusion.tempotokens.mapper_training import (
    Frozen,
    Learning,
    MapperTraining,
    Piece,
)
from training.diffusion.tempotokens.settings import SEGMENT_FRAMES
from training.diffusion.tempotokens.splits import films_of
from training.diffusion.training_command import add_run_arguments, read_run_config
from training.diffusion.training_run import RunPlan, check_alike, iterations_told, run
from training.diffusion.weight_files import check_usable, require, show_weights

MOST_HIDDEN = 1 << 16
Clips = ClipChoice[Path, Piece]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingConfig:
    """One run; the defaults are those of the original's landscape and audioset_drum, of 384 pixels by 256."""

    width: int = 384
    height: int = 256
    fps: int = 24
    """Of the clips: a piece of 24 frames then takes a second."""
    pieces_per_batch: int = 4
    iterations: int = 20000
    hidden_size: int = MapperConfig().hidden_size
    checkpoint_every: int = 1500
    recompute: bool = True
    """Activations of the UNet are computed again in the backward pass, as in the original, rather than kept."""
    learning: Learning = field(default_factory=Learning)

    def __post_init__(self) -> None:
        counts = (self.pieces_per_batch, self.iterations, self.hidden_size, self.checkpoint_every)
        if min(counts) < 1 or min(self.width, self.height) < 8 or self.width % 8 or self.height % 8:
            raise TrainingError(
                f"The run has {self.width}x{self.height} pixels, {self.pieces_per_batch} pieces a batch, {self.iterations} iterations, "
                f"a hidden size of {self.hidden_size} and a checkpoint every {self.checkpoint_every}; sides that 8 divides and positive "
                "numbers were expected."
            )
        if self.hidden_size > MOST_HIDDEN:
            raise TrainingError(f"hidden_size is {self.hidden_size}; at most {MOST_HIDDEN} was expected.")
        if self.fps not in (24, 12, 8, 6):
            raise TrainingError(f"fps is {self.fps}; 24, 12, 8 or 6 was expected.")


class Encoders:
    """Clips as the frozen networks see them."""

    def __init__(self, files: Mapping[str, Path], config: TrainingConfig, device: torch.device) -> None:
        self.beats = published.open_beats(files[published.BEATS_FILE], device)
        self._vae: Any = stable_diffusion.open_vae(files[published.VAE], device, torch.float32)
        self._config, self._device = config, device

    @torch.no_grad()
    def piece(self, clip: Path, random: torch.Generator) -> Piece:
        """Return 24 frames of a clip from a random one on, and their sound; latents are drawn from what the autoencoder makes of them.

        Raises MediaError for a clip that has no such frames or no sound.
        """
        config = self._config
        sound_S = read_sound(clip, BEATS.sample_rate_hz)
        samples = SEGMENT_FRAMES * BEATS.sample_rate_hz // config.fps
        # As many frames as the sound is long; the clip is read no further than it has to be.
        latest = (len(sound_S) - samples) * config.fps // BEATS.sample_rate_hz
        if latest < 0:
            raise MediaError(
                f"{clip} has {len(sound_S) / BEATS.sample_rate_hz:.2f} s of sound; at least {samples / BEATS.sample_rate_hz:g} s were expected."
            )
        first = int(torch.randint(latest + 1, (), generator=random))
        form = ClipFormat(
            fps=config.fps, image_size=f"{config.width}x{config.height}", sample_rate_hz=BEATS.sample_rate_hz
        )
        frames = list(itertools.islice(read_frames(clip, form), first, first + SEGMENT_FRAMES))
        if not frames:
            raise MediaError(
                f"{clip} has no frame at {first / config.fps:.2f} s, where it has sound; mend or leave out the clip."
            )
        # The last one stands in for those that the clip lacks.
        frames += [frames[-1]] * (SEGMENT_FRAMES - len(frames))
        heard_S = sound_S[first * BEATS.sample_rate_hz // config.fps :][:samples]
        features_1NI = self.beats(torch.from_numpy(heard_S)[None].to(self._device))
        return Piece(self._latents(torch.from_numpy(np.stack(frames)), random), features_1NI)

    def _latents(self, frames_FHW3: Tensor, random: torch.Generator) -> Tensor:
        pixels_FCHW = frames_FHW3.permute(0, 3, 1, 2).to(self._device, torch.float32) / 127.5 - 1.0
        spread = self._vae.encode(pixels_FCHW).latent_dist
        noise = torch.randn(spread.mean.shape, generator=random).to(self._device)
        latents_FCHW = (spread.mean + spread.std * noise) * self._vae.config.scaling_factor
        return latents_FCHW.transpose(0, 1)[None]


def frozen_networks(files: Mapping[str, Path], device: torch.device, recomputes: bool) -> Frozen:
    """Return the UNet and the text encoder, which do not learn."""
    tokenizer = stable_diffusion.tokenizer_of(files[published.VOCABULARY].parent)
    unet = FrameUNet(published.open_unet(files[published.UNET], device, torch.float32))
    if recomputes:
        recompute(unet.layers())
    text_encoder = stable_diffusion.open_text_encoder(files[published.TEXT], device, torch.float32)
    shares = published.scheduler_of(files[published.SCHEDULER]).alphas_cumprod.to(device)
    return Frozen(unet, text_encoder, read_prompt(tokenizer, "", True), shares)


def pieces(training: MapperTraining, clips: Clips, config: TrainingConfig) -> list[Piece]:
    """Return this process's pieces of the iteration that comes, of clips that it draws. Raises MediaError where none can be read."""
    first, share = distributed.own_streams(config.pieces_per_batch, "pieces_per_batch")
    # A source for each: no process has to read what the others draw.
    return [clips.draw(training.random(f"piece {number}"))[1] for number in range(first, first + share)]


def argument_parser() -> argparse.ArgumentParser:
    parser = ArgumentParser(
        prog="python -m training.diffusion.tempotokens.train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("clips", type=Path, nargs="+", metavar="CLIP.mp4")
    parser.add_argument("--split", type=Path, metavar="FILE.csv", help="a published list: its films for training alone")
    add_run_arguments(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    arguments = argument_parser().parse_args(argv)
    needed = published.training_files()
    if arguments.check_weights:
        show_weights(arguments.weights, needed)
        return 0
    config = read_run_config(arguments.config, TrainingConfig)
    distributed.own_streams(config.pieces_per_batch, "pieces_per_batch")
    newest = checkpoint_to_resume(arguments.run_folder, "", arguments.resume)
    if arguments.split:
        clips = [film.path for film in films_of(arguments.clips, arguments.split, "train")]
    else:
        clips = video_files(arguments.clips)
    files = require(arguments.weights, needed)
    check_usable(files, needed)
    device = choose_device(arguments.device)
    cost = cost_of_files(files, config.hidden_size, (config.width, config.height, config.fps), config.recompute, device)
    print_line(f"memory    {cost.told(device)}")
    cost.check(device, "lower width or height" + ("" if config.recompute else ", or set recompute: true"))
    encoders, frozen = Encoders(files, config, device), frozen_networks(files, device, config.recompute)
    with torch.random.fork_rng():
        torch.manual_seed(config.learning.seed)
        width = frozen.text_encoder.config.hidden_size
        shape = MapperConfig(encoders.beats.config.feature_size, config.hidden_size, width)
        training = MapperTraining(frozen, AudioMapper(shape).to(device), config.learning)
    if newest:
        training.resume(newest)
    check_alike(training, config, len(clips))
    count = sum(parameter.numel() for parameter in training.mapper.parameters())
    print_line(f"{counted(len(clips), 'clip')}, {count:,} weights, {iterations_told(training, config.iterations)}")
    choice: Clips = ClipChoice(clips, encoders.piece)
    plan = RunPlan(arguments.run_folder, "", config.iterations, config.checkpoint_every)
    run(training, lambda: training.learn(pieces(training, choice, config)), plan)
    return 0


if __name__ == "__main__":
    run_main(distributed.together(main))
