"""Teach a generator a clip.

    python -m training.train configs/train/water.yaml [--clip FILE] [--minutes N] [--run-folder runs/NAME]
    python -m training.train --resume runs/NAME [--iterations N]

Ctrl-C finishes the iteration, writes a checkpoint and leaves; --resume goes on from there. Any setting can be given as
--set KEY=VALUE with its dotted name (--set losses.l1=5). --dry-run prints what was resolved and stops.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import torch
import yaml

from engine.errors import TrainingError, run_main
from training.adversary import Adversary
from training.checkpoint import Checkpoint, checkpoint_folders, read_checkpoint
from training.config import TrainConfig, load_train_config, with_overrides
from training.data.cache import load_clip
from training.run import Run
from training.streaming import build_model

RUN_CONFIG_FILE = "config.yaml"


def argument_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m training.train", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", type=Path, nargs="?", metavar="CONFIG.yaml", help="not needed with --resume")
    parser.add_argument("--clip", metavar="FILE", help="the video with sound to learn")
    parser.add_argument("--iterations", type=int, metavar="N", help="train up to so many iterations")
    parser.add_argument("--minutes", type=float, metavar="N", help="or so many minutes, whichever ends first")
    parser.add_argument("--resume", type=Path, metavar="RUN", help="go on with a run from its newest checkpoint")
    parser.add_argument("--run-folder", type=Path, metavar="FOLDER", help="where to write; default runs/NAME")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"))
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="any other setting; may be repeated"
    )
    parser.add_argument(
        "--cache-folder", type=Path, metavar="FOLDER", help="where decoded clips are kept; default ~/.cache/fluid/clips"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the resolved configuration and sizes, then stop")
    return parser


def overrides(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the settings given as flags by dotted key. Raises TrainingError for a --set without '='."""
    values: dict[str, Any] = {}
    for pair in arguments.set:
        key, equals, text = pair.partition("=")
        if not equals:
            raise TrainingError(f"--set {pair} has no '='; --set KEY=VALUE was expected.")
        try:
            values[key] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise TrainingError(f"--set {pair}: the value is not YAML.") from error
    flags = {
        "clip.path": arguments.clip,
        "total_iterations": arguments.iterations,
        "minutes": arguments.minutes,
        "device": arguments.device,
    }
    return values | {key: value for key, value in flags.items() if value is not None}


def resolve(arguments: argparse.Namespace) -> tuple[TrainConfig, Path, Checkpoint | None]:
    """Return configuration, run folder and checkpoint to resume. Raises TrainingError for what does not fit together."""
    resume = read_checkpoint(arguments.resume) if arguments.resume else None
    if arguments.config is not None:
        config = load_train_config(arguments.config, overrides(arguments))
    elif resume is not None:
        config = TrainConfig.from_dict(with_overrides(resume.config.to_dict(), overrides(arguments)))
    else:
        raise TrainingError("Nothing to train: give a configuration (configs/train/water.yaml) or --resume RUN.")
    run_folder: Path = arguments.run_folder or arguments.resume or Path("runs") / config.model.name
    if resume is None and checkpoint_folders(run_folder) and not arguments.dry_run:
        raise TrainingError(
            f"{run_folder} holds a run already; go on with --resume {run_folder} or choose another --run-folder."
        )
    if not config.clip.path:
        raise TrainingError("The configuration names no clip; give one with --clip FILE.")
    return config, run_folder, resume


def describe(config: TrainConfig) -> str:
    """Return the resolved configuration with shapes and parameter counts, as --dry-run prints it."""
    model, adversary = build_model(config.model), Adversary(config, torch.device("cpu"))
    count = sum(parameter.numel() for parameter in model.parameters())
    batch = f"[{config.sequences_per_batch}, {config.sequence_frames}"
    lines = [
        yaml.safe_dump(config.to_dict(), sort_keys=False).rstrip(),
        "---",
        f"sound      {batch}, {model.window_samples}] at {model.sample_rate_hz} Hz, hop {model.hop_samples}",
        f"pictures   {batch}, 3, {config.model.image_size}, {config.model.image_size}] at {config.model.fps} fps",
        *(f"state      {name} {list(shape)}" for name, shape in model.state_shapes().items()),
        f"generator  {count:,} parameters",
    ]
    for name, discriminator in adversary.discriminators.items():
        lines.append(f"{name} discriminator  {sum(p.numel() for p in discriminator.parameters()):,} parameters")
    return "\n".join(lines)


def main(words: list[str] | None = None) -> int:
    arguments = argument_parser().parse_args(words)
    config, run_folder, resume = resolve(arguments)
    if arguments.dry_run:
        print(describe(config))
        return 0
    if config.threads:
        torch.set_num_threads(config.threads)
    clip = load_clip(Path(config.clip.path), config.clip_format(), arguments.cache_folder)
    for notice in clip.notices():
        print(f"notice: {notice}", file=sys.stderr)
    run = Run(config, clip, run_folder, resume)
    run_folder.mkdir(parents=True, exist_ok=True)
    (run_folder / RUN_CONFIG_FILE).write_text(yaml.safe_dump(config.to_dict(), sort_keys=False))
    stop_gently(run)
    run.run()
    print(f"{run.trainer.iteration} iterations, {run.elapsed_s / 60.0:.1f} minutes; checkpoint: {run.last_checkpoint}")
    if run.stop_requested:
        print(f"stopped; go on with: python -m training.train --resume {run_folder}")
    return 0


def stop_gently(run: Run) -> None:
    """Let the first Ctrl-C finish the iteration and the second one leave at once."""

    def request_stop(number: int, frame: FrameType | None) -> None:
        run.stop_requested = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, request_stop)


if __name__ == "__main__":
    run_main(main)
