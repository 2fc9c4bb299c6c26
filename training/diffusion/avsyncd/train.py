"""Train AVSyncD on clips, from Stable Diffusion or on from a checkpoint.

    python -m training.diffusion.avsyncd.train --data FOLDER --weights FOLDER --run-folder RUN [--config FILE.yaml] [--resume]

FOLDER of data holds videos/, train.txt and class_mapping.json. Checkpoints come into RUN/ckpts; their folder `modules` is rendered
with `python -m training.render --family avsyncd --checkpoint RUN/ckpts/checkpoint-N/modules`. docs/avsyncd.md says more.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from engine.core.argument_parser import ArgumentParser
from engine.core.counted import counted
from engine.core.errors import TrainingError, run_main
from engine.core.printable import print_line
from training.core import distributed
from training.core.device import choose_device
from training.diffusion.avsyncd import published
from training.diffusion.avsyncd.encoding import Encoders
from training.diffusion.avsyncd.examples import Example, Stretch, read_examples, read_stretch
from training.diffusion.avsyncd.learner import Batch, Learner, LearningConfig, forget_older
from training.diffusion.avsyncd.learning_cost import cost_of_files
from training.diffusion.avsyncd.unet import VideoUNet
from training.diffusion.clip_choice import ClipChoice
from training.diffusion.iterations import checkpoint_to_resume
from training.diffusion.recomputation import recompute
from training.diffusion.training_command import add_run_arguments, read_run_config
from training.diffusion.training_run import RunPlan, check_alike, iterations_told, run
from training.diffusion.weight_files import check_usable, require, show_weights

CHECKPOINTS_FOLDER = "ckpts"

Clips = ClipChoice[Example, Stretch]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingConfig:
    """One run; the defaults are those of the published avsync15 model."""

    width: int = 256
    height: int = 256
    clips_per_batch: int = 4
    batches: int = 16
    """Of which one iteration takes the mean gradient; several devices share them. The original has 2 on each of 8."""
    iterations: int = 37000
    flips: bool = True
    """Half of the clips are mirrored."""
    text: str = ""
    """Of clips that lie in no folder of a class."""
    checkpoint_every: int = 1000
    """Only the newest one is kept,"""
    milestone_every: int = 10000
    """and those of these iterations."""
    recompute: bool = True
    """Activations of the UNet are computed again in the backward pass, as in the original, rather than kept."""
    learning: LearningConfig = field(default_factory=LearningConfig)

    def __post_init__(self) -> None:
        counts = (self.clips_per_batch, self.batches, self.iterations, self.checkpoint_every, self.milestone_every)
        if min(counts) < 1 or min(self.width, self.height) < 8 or self.width % 8 or self.height % 8:
            raise TrainingError(
                f"The run has {self.width}x{self.height} pixels, {self.clips_per_batch} clips a batch, {self.batches} batches and "
                f"{self.iterations} iterations, a checkpoint every {self.checkpoint_every} and a milestone every "
                f"{self.milestone_every}; sides that 8 divides and positive numbers were expected."
            )


def batches(learner: Learner, clips: Clips, encoders: Encoders, config: TrainingConfig) -> Iterator[Batch]:
    """Yield this process's batches of the iteration that comes, of clips that it draws. Raises MediaError where none can be read."""
    first, share = distributed.own_streams(config.batches, "batches")
    for number in range(first, first + share):
        # A source for each: no process has to read what the others draw.
        random = learner.random(f"clips {number}")
        chosen = [clips.draw(random) for _ in range(config.clips_per_batch)]
        yield encoders.batch([stretch for _, stretch in chosen], [example.text for example, _ in chosen], random)


def clips_of(examples: Sequence[Example], config: TrainingConfig) -> Clips:
    """Return the clips to draw from. Raises TrainingError where none of the files is there."""
    there = [example for example in examples if example.path.is_file()]
    missing = [example.path for example in examples if not example.path.is_file()]
    if not there:
        raise TrainingError(
            f"The list names {counted(len(examples), 'clip')}, and none is there, as {missing[0]}; see docs/avsyncd.md."
        )
    if missing:
        print_line(
            f"notice    {len(missing)} of {len(examples)} clips that are listed are not there, as {missing[0]}; they are left out"
        )
    size = (config.width, config.height)
    return ClipChoice(there, lambda example, random: read_stretch(example.path, size, random, config.flips))


def argument_parser() -> argparse.ArgumentParser:
    parser = ArgumentParser(
        prog="python -m training.diffusion.avsyncd.train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, metavar="FOLDER", required=True)
    add_run_arguments(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    arguments = argument_parser().parse_args(argv)
    needed = published.training_files()
    if arguments.check_weights:
        show_weights(arguments.weights, needed)
        return 0
    config = read_run_config(arguments.config, TrainingConfig)
    distributed.own_streams(config.batches, "batches")
    examples = read_examples(arguments.data, config.text)
    clips = clips_of(examples, config)
    newest = checkpoint_to_resume(arguments.run_folder, CHECKPOINTS_FOLDER, arguments.resume)
    files = require(arguments.weights, needed)
    check_usable(files, needed)
    device = choose_device(arguments.device)
    cost = cost_of_files(
        files, (config.width, config.height), config.clips_per_batch, config.learning, config.recompute, device
    )
    print_line(f"memory    {cost.told(device)}")
    cost.check(
        device,
        ("lower clips_per_batch and give more batches" if config.clips_per_batch > 1 else "lower width or height")
        + ("" if config.recompute else ", or set recompute: true"),
    )
    encoders = Encoders(files, sorted({example.text for example in examples}), device)
    with torch.random.fork_rng():
        # What AVSyncD adds begins with random numbers.
        torch.manual_seed(config.learning.seed)
        unet: VideoUNet = published.open_inflated(files[published.STILL_UNET], encoders.sound_size, device)
    if config.recompute:
        recompute(unet.layers())
    learner = Learner(unet, config.learning)
    if newest:
        learner.resume(newest)
    check_alike(learner, config, [example.text for example in examples])
    print_line(
        f"{counted(len(examples), 'clip')}, {sum(p.numel() for p in unet.parameters() if p.requires_grad):,} of "
        f"{sum(p.numel() for p in unet.parameters()):,} weights are trained, "
        f"{iterations_told(learner, config.iterations)}"
    )
    plan = RunPlan(
        arguments.run_folder,
        CHECKPOINTS_FOLDER,
        config.iterations,
        config.checkpoint_every,
        lambda newest: forget_older(newest.parent, newest, config.milestone_every),
    )
    run(learner, lambda: learner.learn(list(batches(learner, clips, encoders, config))), plan)
    return 0


if __name__ == "__main__":
    run_main(distributed.together(main))
