"""Teach a clip with one command: look at it, choose crop, size and time, train, evaluate and export.

    python -m training.teach CLIP.mp4 [--minutes N] [--run-folder runs/NAME]

prints what was chosen and why (--plan stops there), and at the end the line that plays the model. The same command again
goes on teaching for as long again. Ctrl-C ends the teaching early: what was learned so far is kept and exported.
Any setting of training can be given as --set KEY=VALUE.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from engine.core.errors import TrainingError, run_main
from training import evaluate, train
from training.autopilot.clip_analysis import survey
from training.autopilot.crop import Crop, choose_crop, parse_crop
from training.autopilot.pace import seconds_per_iteration
from training.autopilot.plan import Plan, SizeStep, allowed_rungs, choose_plan, model_settings, rung_of
from training.autopilot.summary import outcome
from training.data.cache import load_clip
from training.data.config import ClipConfig
from training.data.footage import footage_sha256
from training.logging.records import concluded
from training.loop.checkpoint import Checkpoint, read_newest
from training.loop.config import load_train_config
from training.loop.run_folder import EVALUATION_FOLDER, checkpoint_folders, find_checkpoint
from training.loop.trainer import choose_device
from training.report import write_report

CONFIG = Path(__file__).parents[1] / "configs" / "train" / "teach.yaml"
EVALUATION_LENGTHS = "8,32"
"""In frames: of a clip of 2 s, 8 are held out. Few and short sequences stay within the time kept for the evaluation."""


def argument_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m training.teach", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clip", type=Path, metavar="CLIP.mp4", help="a video with sound")
    parser.add_argument(
        "--minutes", type=float, metavar="N", help="in all; default by the clip's length and the machine"
    )
    parser.add_argument("--run-folder", type=Path, metavar="FOLDER", help="default runs/NAME, NAME as the clip's file")
    parser.add_argument(
        "--crop", metavar="X,Y,W,H", help="in the clip's own pixels; default where most of the motion is"
    )
    parser.add_argument(
        "--size", type=int, metavar="PIXELS", help="of the picture, a power of two; default by the time"
    )
    parser.add_argument("--config", type=Path, default=CONFIG, metavar="FILE.yaml", help="default %(default)s")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="any setting of training")
    parser.add_argument("--cache-folder", type=Path, metavar="FOLDER", help="where decoded clips are kept")
    parser.add_argument("--plan", action="store_true", help="print what would be done, and stop")
    return parser


def main(argv: list[str] | None = None) -> int:
    started_s = time.monotonic()
    arguments = argument_parser().parse_args(argv)
    if arguments.minutes is not None and not arguments.minutes > 0:
        raise TrainingError(f"--minutes is {arguments.minutes:g}; more than 0 was expected.")
    name = train.model_name(arguments.clip)
    run_folder: Path = arguments.run_folder or Path("runs") / name
    earlier = earlier_run(run_folder, arguments)
    plan = make_plan(arguments, started_s, earlier)
    print("\n".join(plan.lines(hardware(arguments.device))))
    settings = plan.settings() | {"model.name": name}
    if arguments.plan:
        config = load_train_config(arguments.config, settings | given_settings(arguments))
        for notice in load_clip(arguments.clip, config.clip_format(), arguments.cache_folder).notices():
            print(f"notice    {notice}")
        return 0
    print(f"run       {run_folder}" + (f", going on after {earlier.iterations:,} iterations" if earlier else ""))
    train.main(training_words(arguments, run_folder, settings, earlier))
    reached = int(find_checkpoint(run_folder).name)
    if concluded(run_folder, reached):
        evaluate.main(evaluation_words(arguments, run_folder))
        write_report(run_folder)
    model_file = run_folder / f"{name}.onnx"
    export(run_folder, model_file)
    print(outcome(run_folder, model_file, reached))
    return 0


def earlier_run(run_folder: Path, arguments: argparse.Namespace) -> Checkpoint | None:
    """Return the newest checkpoint of a run that taught this clip, or None for a new folder.

    Raises TrainingError when the folder holds a run of another clip, or the flags ask for another picture.
    """
    if not checkpoint_folders(run_folder):
        return None
    earlier, _ = read_newest(run_folder)
    if arguments.clip.is_file() and footage_sha256(ClipConfig(path=str(arguments.clip))) != earlier.clip_sha256:
        raise TrainingError(
            f"{run_folder} holds a run that was taught {earlier.config.clip.path}; choose another --run-folder."
        )
    if arguments.crop or arguments.size:
        raise TrainingError(
            f"{run_folder} holds a run already, whose crop and size stay as they are; leave out --crop and --size to "
            "go on with it, or choose another --run-folder."
        )
    return earlier


def make_plan(arguments: argparse.Namespace, started_s: float, earlier: Checkpoint | None) -> Plan:
    """Look at the clip and measure this machine. Raises TrainingError for a clip that cannot be taught."""
    seen = survey(arguments.clip)
    if arguments.crop:
        crop = parse_crop(arguments.crop, seen)
    elif earlier and earlier.config.clip.crop:
        crop = Crop(*earlier.config.clip.crop, "as before")
    else:
        crop = choose_crop(seen)

    def measure(rung: SizeStep) -> float:
        settings = model_settings(rung, seen.solid) | given_settings(arguments) | {"device": arguments.device}
        config = load_train_config(arguments.config, settings)
        return seconds_per_iteration(config)

    rungs = [rung_of(earlier.config)] if earlier else allowed_rungs(crop, arguments.size)
    return choose_plan(seen, crop, rungs, measure, lambda: time.monotonic() - started_s, arguments.minutes)


def given_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what was given with --set, by dotted key. Raises TrainingError for one without '='."""
    pairs = [word for pair in arguments.set for word in ("--set", pair)]
    return train.overrides(train.argument_parser().parse_args(pairs))


def training_words(
    arguments: argparse.Namespace, run_folder: Path, settings: dict[str, Any], earlier: Checkpoint | None
) -> list[str]:
    """Return the command line of `training.train` that does the teaching; what the user set comes last and wins."""
    if earlier is None:
        words = [str(arguments.config), "--run-folder", str(run_folder)]
    else:
        # Time and iterations of a run count from its first start.
        words = ["--resume", str(run_folder)]
        settings = {
            "minutes": settings["minutes"] + earlier.elapsed_s / 60.0,
            "total_iterations": settings["total_iterations"] + earlier.iterations,
        }
    pairs = [f"{key}={json.dumps(value)}" for key, value in settings.items()]
    words += ["--clip", str(arguments.clip), "--device", arguments.device]
    if arguments.cache_folder:
        words += ["--cache-folder", str(arguments.cache_folder)]
    return words + [word for pair in [*pairs, *arguments.set] for word in ("--set", pair)]


def evaluation_words(arguments: argparse.Namespace, run_folder: Path) -> list[str]:
    """Return the command line of `training.evaluate` that measures the run on few and short sequences."""
    words = [str(run_folder), "--out", str(run_folder / EVALUATION_FOLDER), "--device", arguments.device]
    words += ["--lengths", EVALUATION_LENGTHS, "--sequences", "2", "--shifts", "1"]
    return words + (["--cache-folder", str(arguments.cache_folder)] if arguments.cache_folder else [])


def export(run_folder: Path, model_file: Path) -> None:
    """Export the newest checkpoint. Raises TrainingError when the exporter refuses; its sentence is already on stderr."""
    # A process of its own: training must not import export, for a checkpoint has to say all that exporting needs.
    command = [sys.executable, "-m", "export.to_onnx", str(run_folder), "-o", str(model_file)]
    sys.stdout.flush()
    if subprocess.run(command, check=False).returncode:
        raise TrainingError(
            f"{model_file} was not made; the run is kept in {run_folder}, try: {' '.join(['python', *command[1:]])}"
        )


def hardware(device: str) -> str:
    """Name what trains."""
    if choose_device(device).type == "cuda":
        return torch.cuda.get_device_name()
    threads = torch.get_num_threads()
    return "1 processor thread" if threads == 1 else f"{threads} processor threads"


if __name__ == "__main__":
    run_main(main)
