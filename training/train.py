"""Train a generator on a clip.

    python -m training.train configs/train/water.yaml [--clip FILE] [--minutes N] [--run-folder runs/NAME]
    python -m training.train --resume runs/NAME [--iterations N]
    python -m training.train --from runs/NAME --run-folder runs/NEW [CONFIG.yaml] [--clip FILE]

Ctrl-C, SIGTERM and a terminal that is closed finish the iteration, write a checkpoint and end the training. --resume continues there with the same settings; after a kill it
continues from the newest checkpoint. --from RUN starts a new run with the weights of another one: other clip, other losses.
`torchrun --nproc-per-node N -m training.train …` shares the training streams among N processes (docs/many-machines.md).
Any setting can be given as --set KEY=VALUE with its dotted name (--set losses.l1=5). --dry-run prints the resolved
configuration and stops.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml

from engine.core.argument_parser import ArgumentParser
from engine.core.atomic_files import write_text
from engine.core.errors import TrainingError, run_main
from engine.core.printable import print_line, print_lines
from engine.core.stop_signals import StopRequest, on_stop_signals
from engine.core.structured import shown
from engine.core.yaml_reading import parse_yaml
from training.core import distributed
from training.core.device import choose_device
from training.core.strict import config_dict
from training.data.config import ClipConfig
from training.data.footage import Footage, load_footage
from training.families.family import build_model
from training.families.registry import family
from training.logging.records import concluded
from training.logging.run_log import RunLog
from training.loop.checkpoint import Checkpoint, DamagedCheckpoint, best_checkpoint, read_newest, read_start
from training.loop.config import TrainConfig, load_train_config, with_overrides
from training.loop.resumption import as_begun, check_resumable, check_start
from training.loop.run import Run
from training.loop.run_folder import (
    CONFIG_FILE,
    REPORT_FILE,
    checkpoint_folders,
    claimed,
    run_of,
    set_aside,
)
from training.loop.run_log import RunOutputs
from training.report import write_report

KEPT_FOR_ANY_CLIP = ("path", "tuning_share")
RUN_OUTPUTS = RunOutputs(open_log=RunLog, write_report=write_report)


def argument_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = ArgumentParser(
        prog="python -m training.train", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "config", type=Path, nargs="?", metavar="CONFIG.yaml", help="not needed with --resume or --from"
    )
    parser.add_argument("--clip", metavar="FILE", help="the video with sound to train on")
    parser.add_argument("--iterations", type=int, metavar="N", help="train up to this number of iterations")
    parser.add_argument(
        "--minutes", type=float, metavar="N", help="or for this number of minutes, whichever ends first"
    )
    parser.add_argument("--resume", type=Path, metavar="RUN", help="continue a run from its newest checkpoint")
    parser.add_argument(
        "--from", dest="start", type=Path, metavar="RUN", help="start a new run with the newest weights of RUN"
    )
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
            values[key] = _parsed(text)
        except ValueError as error:
            raise TrainingError(f"--set {pair}: the value is not YAML ({error}).") from error
    flags = {
        "clip.path": arguments.clip,
        "total_iterations": arguments.iterations,
        "minutes": arguments.minutes,
        "device": arguments.device,
    }
    return values | {key: value for key, value in flags.items() if value is not None}


def model_name(clip: Path) -> str:
    """Return the clip's file name as a name of a model: letters, digits, - and _."""
    return re.sub(r"[^\w-]+", "_", clip.stem).strip("_") or "clip"


def default_run_folder(config: TrainConfig) -> Path:
    """Return runs/NAME. Raises TrainingError for a name of a model that leads elsewhere."""
    name = config.model.name
    if name in ("", ".", "..") or any(mark in name for mark in "/\\:\0"):
        raise TrainingError(
            f"model.name is {shown(name)}, which cannot be the name of a run folder; choose one with --run-folder."
        )
    return Path("runs") / name


def _parsed(text: str) -> Any:
    """Return the value of a YAML text. 1e-5 is a number, which YAML does not know (it wants 1.0e-5); what is quoted stays a text."""
    value = parse_yaml(text)
    try:
        return float(value) if isinstance(value, str) and value == text.strip() else value
    except ValueError:
        return value


@dataclass(frozen=True, slots=True)
class Task:
    """The run that the command line asks for."""

    config: TrainConfig
    run_folder: Path
    resume: Checkpoint | None = None
    start: Checkpoint | None = None
    damaged: tuple[DamagedCheckpoint, ...] = ()
    """Checkpoints after `resume` that cannot be used."""


def resolve(arguments: argparse.Namespace) -> Task:
    """Read the flags, configuration and checkpoints. Raises TrainingError when they contradict each other."""
    if arguments.resume and arguments.start:
        raise TrainingError("Both --resume and --from were given; one of them was expected.")
    resume, damaged = read_newest(arguments.resume) if arguments.resume else (None, [])
    start = read_start(arguments.start) if arguments.start else None
    config = _config(arguments, resume or start)
    before = run_of(arguments.resume) if arguments.resume else None
    run_folder: Path = arguments.run_folder or before or default_run_folder(config)
    if not config.clip.path:
        raise TrainingError("The configuration names no clip; give one with --clip FILE.")
    if resume is not None:
        check_resumable(resume, config)
    if start is not None:
        check_start(start, config)
    if not arguments.dry_run:
        _check_folder(run_folder, resume, damaged)
    return Task(config, run_folder, resume, start, tuple(damaged))


def _config(arguments: argparse.Namespace, earlier: Checkpoint | None) -> TrainConfig:
    def build(values: Mapping[str, Any]) -> TrainConfig:
        if arguments.config is not None:
            wanted = load_train_config(arguments.config, values)
            return as_begun(wanted, earlier.config, resumed=bool(arguments.resume)) if earlier else wanted
        if earlier is None:
            raise TrainingError("Nothing to train: give a configuration (configs/train/water.yaml) or --resume RUN.")
        return TrainConfig.from_dict(with_overrides(earlier.config.to_dict(), values))

    given = overrides(arguments)
    if given.get("clip.path") and not arguments.resume:
        own = build({key: value for key, value in given.items() if key != "clip.path"}).clip.path
        if own and own != given["clip.path"]:
            # What is said of the configuration's own clip is not true of another one.
            unsaid = {
                f"clip.{key}": value for key, value in config_dict(ClipConfig()).items() if key not in KEPT_FOR_ANY_CLIP
            }
            given = unsaid | {"model.name": model_name(Path(str(given["clip.path"])))} | given
    return build(given)


def _check_folder(run_folder: Path, resume: Checkpoint | None, damaged: Sequence[DamagedCheckpoint]) -> None:
    """Refuse to write over another run, or over what the same run learned later."""
    held = checkpoint_folders(run_folder)
    if resume is None or run_of(resume.folder).absolute() != run_folder.absolute():
        if held:
            raise TrainingError(
                f"{run_folder} holds a run already; continue it with --resume {run_folder} or choose another --run-folder."
            )
        return
    unusable = {each.folder for each in damaged}
    later = [folder.name for folder in held if int(folder.name) > resume.iterations and folder not in unusable]
    if later:
        raise TrainingError(
            f"{run_folder} holds checkpoints after {resume.folder.name} ({', '.join(later)}); continue from the newest with "
            f"--resume {run_folder}, or from this one in another --run-folder."
        )


def describe(config: TrainConfig) -> str:
    """Return the resolved configuration with shapes and parameter counts, as --dry-run prints it."""
    model, networks = build_model(config.model), family(config.model.family).trainer.networks_of(config)
    count = sum(parameter.numel() for parameter in model.parameters())
    batch = f"[{config.sequences_per_batch}, {config.sequence_frames}"
    lines = [
        yaml.safe_dump(config.to_dict(), sort_keys=False).rstrip(),
        "---",
        f"sound      {batch}, {model.window_samples}] at {model.sample_rate_hz} Hz, hop {model.hop_samples}",
        f"frames     {batch}, 3, {config.model.frame_size.height}, {config.model.frame_size.width}] at {config.model.fps} fps",
        *(f"state      {name} {list(shape)}" for name, shape in model.state_shapes().items()),
        f"generator  {count:,} parameters",
    ]
    for name, network in networks.items():
        lines.append(f"{name.replace('_', ' ')}  {sum(p.numel() for p in network.parameters()):,} parameters")
    return "\n".join(lines)


def main(
    words: list[str] | None = None, outputs: RunOutputs = RUN_OUTPUTS, time_left_s: Callable[[], float] | None = None
) -> int:
    """Run the command line `words`; who plans a run gives its outputs and the time that is left for training."""
    arguments = argument_parser().parse_args(words)
    task = resolve(arguments)
    distributed.check_alike("start", task.resume.iterations if task.resume else None)
    if arguments.dry_run:
        print_lines(describe(task.config))
        return 0
    prepare_torch(task.config)
    with distributed.one_after_first_of_machine():
        footage = load_footage(
            task.config.clip, task.config.clip_format(), task.config.sequence_frames, arguments.cache_folder
        )
    for notice in footage.notices():
        print_line(f"notice: {notice}", file=sys.stderr)
    with claimed(task.run_folder) if distributed.first() else contextlib.nullcontext():
        return train(task, footage, outputs, time_left_s)


def train(task: Task, footage: Footage, outputs: RunOutputs, time_left_s: Callable[[], float] | None) -> int:
    """Train, and print a summary at the end."""
    run_folder = task.run_folder
    if distributed.first():
        prepare_folder(task)
    run = Run(task.config, footage, run_folder, outputs, task.resume, task.start)
    run.time_left_s = time_left_s
    run.notices += [f"{error.what}; continuing from {run.last_checkpoint}." for error in task.damaged]
    for notice in run.notices:
        print_line(f"notice: {notice}", file=sys.stderr)
    already = task.resume is not None and run.progress() >= 1.0
    if already and concluded(run_folder, run.trainer.iteration):
        if distributed.first():
            write_report(run_folder)
    else:
        with stopping_gently(run):
            run.run()
    spent = f"{run.trainer.iteration} iterations, {run.elapsed_s / 60.0:.1f} minutes; checkpoint: {run.last_checkpoint}"
    if already:
        print_line(f"{run_folder} is finished: {spent}; train it for longer with --iterations N or --minutes N")
    else:
        print_line(f"{spent}; report: {run_folder / REPORT_FILE}")
    best = best_checkpoint(run_folder)
    if best and distributed.first() and int(best.name) != run.trainer.iteration:
        print_line(f"the best checkpoint, by its loss on the tuning part: {best}")
    if run.stop_requested:
        print_line(f"stopped; continue with: python -m training.train --resume {run_folder}")
    return 0


def prepare_torch(config: TrainConfig) -> None:
    """Set threads and, when the configuration asks for it, algorithms that give the same bits every time."""
    threads = config.threads or (1 if config.deterministic else 0)
    if threads:
        torch.set_num_threads(threads)
    if config.deterministic:
        # Some of CUDA's algorithms have no such form; there torch warns and goes on.
        torch.use_deterministic_algorithms(True, warn_only=choose_device(config.device).type == "cuda")


def prepare_folder(task: Task) -> None:
    """Write the configuration and set damaged checkpoints aside. Raises TrainingError when the folder cannot be written."""
    try:
        for error in task.damaged:
            if run_of(error.folder).absolute() == task.run_folder.absolute():
                set_aside(error.folder)
        write_text(task.run_folder / CONFIG_FILE, yaml.safe_dump(task.config.to_dict(), sort_keys=False))
    except OSError as error:
        raise TrainingError(
            f"Cannot write to {task.run_folder} ({error.strerror}); free some space or choose another --run-folder."
        ) from error


def stopping_gently(run: Run) -> contextlib.AbstractContextManager[None]:
    """Let signals finish the iteration and write a checkpoint. A second Ctrl-C leaves at once, but not while one is written."""
    stop = StopRequest(is_interruptible=lambda: not run.is_saving)

    def ask(number: int) -> None:
        stop.ask(number)
        run.stop_requested = True

    return on_stop_signals(ask)


if __name__ == "__main__":
    run_main(distributed.together(main))
