"""Train a model on a clip with one command: analyse the clip, choose crop, size and time, train, evaluate and export.

    python -m training.teach CLIP.mp4 [--minutes N] [--run-folder runs/NAME]

prints the plan with its reasons (--plan stops there) and, at the end, the command that plays the model. Run the same command
again to train for the same time again. Ctrl-C ends the training early; the model so far is saved and exported.
--set KEY=VALUE changes any setting of the training.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import re
import subprocess
import sys
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch

from engine.core.argument_parser import ArgumentParser
from engine.core.errors import TrainingError, UserError, run_main
from engine.core.printable import print_line, print_lines
from training import evaluate, train
from training.autopilot.clip_analysis import analyse_clip
from training.autopilot.crop import Crop, choose_crop, parse_crop, parse_shape, trimmed
from training.autopilot.pace import seconds_per_iteration
from training.autopilot.plan import (
    Plan,
    SizeStep,
    allowed_size_steps,
    choose_plan,
    model_settings,
    parse_size,
    size_step_of,
)
from training.autopilot.summary import Ending, validations
from training.core.frame_size import FrameSize
from training.data.cache import load_clip
from training.data.config import ClipConfig
from training.data.footage import footage_sha256, load_footage
from training.data.sources import VideoFile
from training.data.windows import TRAINING_SHARE
from training.loop.checkpoint import (
    BEST,
    Checkpoint,
    ChosenCheckpoint,
    chosen_checkpoint,
    load_generator,
    read_newest,
)
from training.loop.config import TrainConfig, load_train_config
from training.loop.memory import memory_watched
from training.loop.run_folder import CONFIG_FILE, EVALUATION_FOLDER, checkpoint_folders, find_checkpoint
from training.loop.trainer import choose_device
from training.loop.validation import validate_segments
from training.report import write_report

CONFIG = Path(__file__).parents[1] / "configs" / "train" / "teach.yaml"
EVALUATION_LENGTHS = "8,32"
"""In frames: a clip of 2 s has 8 held-out frames. Few, short sequences keep within the time reserved for the evaluation."""


def argument_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = ArgumentParser(
        prog="python -m training.teach", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clip", type=Path, metavar="CLIP.mp4", help="a video with sound")
    parser.add_argument("--minutes", type=float, metavar="N", help="total time; default: by clip length and machine")
    parser.add_argument(
        "--run-folder", type=Path, metavar="FOLDER", help="default runs/NAME, after the clip's file name"
    )
    parser.add_argument(
        "--crop", metavar="X,Y,W,H", help="in displayed pixels; default: the part with most of the motion"
    )
    parser.add_argument(
        "--shape", metavar="W:H", help="shape of the frame, e.g. 16:9, or 1:1 for a square; default: the clip's"
    )
    parser.add_argument(
        "--size", metavar="WxH", help="frame size, e.g. 640x360, or 128 for a square; default: by the time"
    )
    parser.add_argument(
        "--track", metavar="TRACK", help="the clip's sound track, by number or language; default: its default track"
    )
    parser.add_argument("--channels", metavar="N,N", help="channels of that track, e.g. 3,4; default: all, mixed")
    parser.add_argument("--config", type=Path, default=CONFIG, metavar="FILE.yaml", help="default %(default)s")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="any setting of the training")
    parser.add_argument(
        "--cache-folder", type=Path, metavar="FOLDER", help="cache of decoded clips; default ~/.cache/fluid/clips"
    )
    parser.add_argument("--plan", action="store_true", help="print the plan and stop")
    return parser


def main(argv: list[str] | None = None) -> int:
    started_s = time.monotonic()
    arguments = argument_parser().parse_args(argv)
    arguments.set += sound_settings(arguments.track, arguments.channels)
    if arguments.minutes is not None and not arguments.minutes > 0:
        raise TrainingError(f"--minutes is {arguments.minutes:g}; more than 0 was expected.")
    name = train.model_name(arguments.clip)
    run_folder: Path = arguments.run_folder or Path("runs") / name
    earlier = earlier_run(run_folder, arguments)
    plan = make_plan(arguments, started_s, earlier)
    print_line(*plan.lines(hardware(arguments.device)))
    settings = plan.settings() | {"model.name": name}
    if arguments.plan:
        config = load_train_config(arguments.config, settings | given_settings(arguments))
        source = VideoFile(arguments.clip, (earlier.config if earlier else config).clip.sound_choice())
        for notice in load_clip(source, config.clip_format(), arguments.cache_folder).notices():
            print_line(f"notice    {notice}")
        return 0
    print_line(f"run       {run_folder}" + (f", continued after {earlier.iterations:,} iterations" if earlier else ""))
    train.main(training_arguments(arguments, run_folder, settings, earlier))
    # The model file comes first: nothing that is measured or written about it may cost it.
    newest, chosen = find_checkpoint(run_folder), chosen_checkpoint(run_folder)
    model_file = run_folder / f"{name}.onnx"
    try:
        export(chosen.folder, model_file)
    except TrainingError:
        if chosen.folder == newest:
            raise
        print_line(f"notice: the best checkpoint cannot be exported; the newest one is: {newest}", file=sys.stderr)
        chosen = ChosenCheckpoint(newest, "")
        export(newest, model_file)
    figures, reason = measured(arguments, run_folder, chosen.folder, int(newest.name))
    ending = Ending(
        analysis=plan.analysis,
        figures=figures,
        reason=reason,
        exported=int(chosen.folder.name),
        last=int(newest.name),
        chosen=chosen.reason == BEST,
        more_clips=more_clips(run_folder),
        model_file=model_file,
        report=written_report(run_folder),
    )
    print_lines("\n".join(["", *ending.lines()]))
    return 0


def earlier_run(run_folder: Path, arguments: argparse.Namespace) -> Checkpoint | None:
    """Return the newest checkpoint of a run on this clip, or None for a new folder.

    Raises TrainingError when the folder holds a run on another clip, and when the flags ask for another crop or size.
    """
    if not checkpoint_folders(run_folder):
        return None
    earlier, _ = read_newest(run_folder)
    if arguments.clip.is_file():
        # The run so far says which track and channels, unless the flags do.
        asked = load_train_config(arguments.config, given_settings(arguments)).clip
        trained = earlier.config.clip
        wanted = ClipConfig(
            path=str(arguments.clip),
            track=trained.track if asked.track is None else asked.track,
            channels=asked.channels or trained.channels,
        )
        if footage_sha256(wanted) != earlier.clip_sha256:
            same = (
                footage_sha256(replace(wanted, track=trained.track, channels=trained.channels)) == earlier.clip_sha256
            )
            raise TrainingError(
                f"{run_folder} holds a run on another {'sound of the clip' if same else 'clip'}, {trained.path}; choose another "
                "--run-folder."
            )
    if arguments.crop or arguments.size or arguments.shape:
        raise TrainingError(
            f"{run_folder} already holds a run, and its crop and size cannot change; omit --crop, --shape and --size to "
            "continue it, or choose another --run-folder."
        )
    return earlier


def make_plan(arguments: argparse.Namespace, started_s: float, earlier: Checkpoint | None) -> Plan:
    """Analyse the clip and measure this machine. Raises TrainingError for a clip that cannot be used."""
    started = earlier.config if earlier else load_train_config(arguments.config, given_settings(arguments))
    size, shape = frame_size(arguments)
    if earlier:
        size, shape = None, earlier.config.model.frame_size.shape
    analysis = analyse_clip(arguments.clip, trained_share(started), started.clip.sound_choice())
    if arguments.crop:
        crop = parse_crop(arguments.crop, analysis)
    elif earlier and earlier.config.clip.crop:
        crop = Crop(*earlier.config.clip.crop, "as in the run so far")
    else:
        crop = choose_crop(analysis, shape)

    def measure(size_step: SizeStep) -> float:
        settings = model_settings(size_step, analysis.solid) | given_settings(arguments) | {"device": arguments.device}
        config = load_train_config(arguments.config, settings)
        return seconds_per_iteration(config)

    size_steps = [size_step_of(earlier.config)] if earlier else allowed_size_steps(crop, size)
    plan = choose_plan(analysis, crop, size_steps, measure, lambda: time.monotonic() - started_s, arguments.minutes)
    if earlier:
        return replace(plan, solid=getattr(earlier.config.model.generator, "warp_rank", 0) > 0)
    return replace(plan, crop=trimmed(crop, plan.size_step.frame_size))


def frame_size(arguments: argparse.Namespace) -> tuple[FrameSize | None, Fraction | None]:
    """Return the size and the shape that the flags ask for. Raises TrainingError for wrong ones and for two shapes."""
    if arguments.shape and (arguments.size or arguments.crop):
        other = "--size" if arguments.size else "--crop"
        raise TrainingError(f"--shape and {other} both give the frame a shape; leave one of them out.")
    size = parse_size(arguments.size) if arguments.size else None
    return size, size.shape if size else parse_shape(arguments.shape) if arguments.shape else None


def trained_share(config: TrainConfig) -> float:
    """Return the share of the clip, from its start, that is trained."""
    return TRAINING_SHARE - config.clip.tuning_share


def sound_settings(track: str | None, channels: str | None) -> list[str]:
    """Return the settings for --track and --channels. Raises TrainingError for channels that are no numbers."""
    # In YAML a language without quotes may be a truth value: no.
    settings = [] if track is None else [f"clip.track={track if track.isdecimal() else json.dumps(track)}"]
    if channels is not None:
        if not re.fullmatch(r"\d{1,2}(,\d{1,2})*", channels, re.ASCII):
            raise TrainingError(f"--channels is {channels!r}; numbers from 1 were expected, e.g. 3,4.")
        settings.append(f"clip.channels=[{','.join(str(int(channel)) for channel in channels.split(','))}]")
    return settings


def given_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the settings from --set by dotted key. Raises TrainingError for one without '='."""
    pairs = [word for pair in arguments.set for word in ("--set", pair)]
    return train.overrides(train.argument_parser().parse_args(pairs))


def training_arguments(
    arguments: argparse.Namespace, run_folder: Path, settings: dict[str, Any], earlier: Checkpoint | None
) -> list[str]:
    """Return the command line for `training.train`; the user's own settings come last and win."""
    if earlier is None:
        argv = [str(arguments.config), "--run-folder", str(run_folder)]
    else:
        # Time and iterations of a run count from its very start.
        argv = ["--resume", str(run_folder)]
        settings = {
            "minutes": settings["minutes"] + earlier.elapsed_s / 60.0,
            "total_iterations": settings["total_iterations"] + earlier.iterations,
        }
    pairs = [f"{key}={json.dumps(value)}" for key, value in settings.items()]
    argv += ["--clip", str(arguments.clip), "--device", arguments.device]
    if arguments.cache_folder:
        argv += ["--cache-folder", str(arguments.cache_folder)]
    return argv + [word for pair in [*pairs, *arguments.set] for word in ("--set", pair)]


def measured(
    arguments: argparse.Namespace, run_folder: Path, checkpoint: Path, last: int
) -> tuple[dict[str, float] | None, str]:
    """Evaluate the exported checkpoint; return its figures on the held-out part, or None and the reason why there are none."""
    if not train.concluded(run_folder, last):
        return None, "training was stopped before the test on the held-out part"
    try:
        figures = validations(run_folder).get(int(checkpoint.name)) if int(checkpoint.name) == last else None
        found = figures or held_out_figures(arguments, checkpoint)
    except KeyboardInterrupt:
        return None, "the test was stopped"
    except (UserError, OSError) as error:
        return None, str(error).rstrip(".")
    try:
        # The tables are on the page that is written; a person who waits for the model wants five lines.
        with contextlib.redirect_stdout(io.StringIO()):
            evaluate.main(evaluation_arguments(arguments, run_folder, checkpoint))
    except KeyboardInterrupt:
        print_line("notice: the evaluation was stopped; its tables are missing.", file=sys.stderr)
    except (UserError, OSError) as error:
        print_line(f"notice: there are no evaluation tables: {error}", file=sys.stderr)
    return found, ""


def held_out_figures(arguments: argparse.Namespace, checkpoint: Path) -> dict[str, float]:
    """Play the held-out part with a checkpoint that is not the newest. Raises TrainingError."""
    loaded = load_generator(checkpoint)
    config, clip_config = loaded.config, replace(loaded.config.clip, path=str(arguments.clip))
    footage = load_footage(clip_config, config.clip_format(), config.sequence_frames, arguments.cache_folder)
    model = loaded.model.to(choose_device(arguments.device))
    with memory_watched(config, "while the held-out part was played"):
        found = validate_segments(model, footage.validation, footage.mean_frame(), config.sequence_frames)
    return found.numbers()


def evaluation_arguments(arguments: argparse.Namespace, run_folder: Path, checkpoint: Path) -> list[str]:
    """Return the command line for `training.evaluate`, with few, short sequences."""
    argv = [str(checkpoint), "--out", str(run_folder / EVALUATION_FOLDER), "--device", arguments.device]
    argv += ["--clip", str(arguments.clip)]
    argv += ["--lengths", EVALUATION_LENGTHS, "--sequences", "2", "--shifts", "1"]
    return argv + (["--cache-folder", str(arguments.cache_folder)] if arguments.cache_folder else [])


def more_clips(run_folder: Path) -> int:
    """Return how many further clips a run was trained on."""
    try:
        return len(load_train_config(run_folder / CONFIG_FILE).clip.more)
    except TrainingError:
        # Lost or damaged meanwhile: the ending is not worth an error.
        return 0


def written_report(run_folder: Path) -> str:
    """Write the report and say where it is, or why it is not there."""
    try:
        return f"tables and samples: {write_report(run_folder)}"
    except (OSError, TrainingError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error).rstrip(".")
        return f"the report was not written ({reason})"


def export(checkpoint: Path, model_file: Path) -> None:
    """Export a checkpoint. Raises TrainingError when that fails; its own message is already on stderr."""
    # In a process of its own: training must not import export, because a checkpoint has to contain all that export needs.
    command = [sys.executable, "-m", "export.to_onnx", str(checkpoint), "-o", str(model_file)]
    print_line(f"export    {model_file}")
    # What it prints when all is well, parity and drift, is in the model file too.
    if subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode:
        raise TrainingError(
            f"{model_file} was not written; the checkpoint {checkpoint} is saved. Try: {' '.join(['python', *command[1:]])}"
        )


def hardware(device: str) -> str:
    """Return the name of the device that trains."""
    if choose_device(device).type == "cuda":
        return torch.cuda.get_device_name()
    threads = torch.get_num_threads()
    return "1 processor thread" if threads == 1 else f"{threads} processor threads"


if __name__ == "__main__":
    run_main(main)
