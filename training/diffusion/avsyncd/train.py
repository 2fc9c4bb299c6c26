"""Train AVSyncD on clips, from Stable Diffusion or on from a checkpoint.

    python -m training.diffusion.avsyncd.train --data FOLDER --weights FOLDER --run-folder RUN [--config FILE.yaml] [--resume]

FOLDER of data holds videos/, train.txt and class_mapping.json. Checkpoints come into RUN/ckpts; their folder `modules` is rendered
with `python -m training.render --family avsyncd --checkpoint RUN/ckpts/checkpoint-N/modules`. docs/avsyncd.md says more.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from engine.core.argument_parser import ArgumentParser
from engine.core.atomic_files import append_bytes
from engine.core.errors import TrainingError, run_main
from engine.core.printable import print_line
from engine.core.yaml_reading import read_yaml
from training.core.device import choose_device
from training.core.strict import build_config
from training.diffusion.avsyncd import published
from training.diffusion.avsyncd.encoding import Encoders
from training.diffusion.avsyncd.examples import Example, read_examples, read_stretch
from training.diffusion.avsyncd.learner import Batch, Learner, LearningConfig, forget_older
from training.diffusion.avsyncd.unet import VideoUNet
from training.diffusion.iterations import checkpoint_to_resume
from training.diffusion.weight_files import require

LOSSES = "losses.jsonl"


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingConfig:
    """One run; the defaults are those of the published avsync15 model, on one device."""

    width: int = 256
    height: int = 256
    clips_per_batch: int = 4
    batches: int = 16
    """Of which one iteration takes the mean gradient. The original has 2 on each of 8 devices."""
    iterations: int = 37000
    flips: bool = True
    """Half of the clips are mirrored."""
    text: str = ""
    """Of clips that lie in no folder of a class."""
    checkpoint_every: int = 1000
    """Only the newest one is kept,"""
    milestone_every: int = 10000
    """and those of these iterations."""
    learning: LearningConfig = field(default_factory=LearningConfig)

    def __post_init__(self) -> None:
        counts = (self.clips_per_batch, self.batches, self.iterations, self.checkpoint_every, self.milestone_every)
        if min(counts) < 1 or min(self.width, self.height) < 8 or self.width % 8 or self.height % 8:
            raise TrainingError(
                f"The run has {self.width}x{self.height} pixels, {self.clips_per_batch} clips a batch, {self.batches} batches and "
                f"{self.iterations} iterations, a checkpoint every {self.checkpoint_every} and a milestone every "
                f"{self.milestone_every}; sides that 8 divides and positive numbers were expected."
            )


def read_training_config(path: Path | None) -> TrainingConfig:
    """Return the configuration in a YAML file, or the defaults. Raises TrainingError, naming the key, where it cannot be."""
    if path is None:
        return TrainingConfig()
    try:
        values = read_yaml(path)
    except OSError as error:
        raise TrainingError(f"Cannot read {path}: {error.strerror}.") from error
    except ValueError as error:
        raise TrainingError(f"{path} is no YAML ({error}); mend it.") from error
    if not isinstance(values, Mapping):
        raise TrainingError(f"{path} holds {type(values).__name__}; keys and values were expected.")
    return build_config(TrainingConfig, values)


def batches(
    learner: Learner, examples: Sequence[Example], encoders: Encoders, config: TrainingConfig
) -> Iterator[Batch]:
    """Yield the batches of the iteration that comes, of clips that it draws."""
    random = learner.random("clips")
    for _ in range(config.batches):
        chosen = [examples[int(i)] for i in torch.randint(len(examples), (config.clips_per_batch,), generator=random)]
        size = (config.width, config.height)
        stretches = [read_stretch(example.path, size, random, config.flips) for example in chosen]
        yield encoders.batch(stretches, [example.text for example in chosen], random)


def train(learner: Learner, config: TrainingConfig, made: Any, run_folder: Path) -> None:
    """Learn until the last iteration. `made` gives the batches of the iteration that comes. Raises OSError where nothing can be written."""
    while learner.iteration < config.iterations:
        loss = learner.learn(list(made()))
        line = json.dumps({"iteration": learner.iteration, "loss": loss})
        append_bytes(run_folder / LOSSES, f"{line}\n".encode())
        if learner.iteration % config.checkpoint_every == 0 or learner.iteration == config.iterations:
            newest = learner.save(run_folder / "ckpts")
            forget_older(run_folder / "ckpts", newest, config.milestone_every)
            print_line(f"{newest}: loss {loss:.4f}")


def argument_parser() -> argparse.ArgumentParser:
    parser = ArgumentParser(
        prog="python -m training.diffusion.avsyncd.train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, metavar="FOLDER", required=True)
    parser.add_argument("--weights", type=Path, metavar="FOLDER", required=True)
    parser.add_argument("--run-folder", type=Path, metavar="RUN", required=True)
    parser.add_argument("--config", type=Path, metavar="FILE.yaml")
    parser.add_argument("--resume", action="store_true", help="go on from the newest checkpoint of the run")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    return parser


def main(argv: list[str] | None = None) -> int:
    arguments = argument_parser().parse_args(argv)
    config = read_training_config(arguments.config)
    examples = read_examples(arguments.data, config.text)
    newest = checkpoint_to_resume(arguments.run_folder, "ckpts", arguments.resume)
    files = require(arguments.weights, published.training_files())
    device = choose_device(arguments.device)
    encoders = Encoders(files, sorted({example.text for example in examples}), device)
    unet: VideoUNet = published.open_inflated(files[published.STILL_UNET], encoders.sound_size, device)
    learner = Learner(unet, config.learning)
    if newest:
        learner.resume(newest)
    print_line(
        f"{len(examples)} clips, {sum(p.numel() for p in unet.parameters() if p.requires_grad):,} of "
        f"{sum(p.numel() for p in unet.parameters()):,} weights are trained, from iteration {learner.iteration + 1} to {config.iterations}"
    )
    arguments.run_folder.mkdir(parents=True, exist_ok=True)
    train(learner, config, lambda: batches(learner, examples, encoders, config), arguments.run_folder)
    return 0


if __name__ == "__main__":
    run_main(main)
