"""Train a model on a clip with one command: analyse the clip, choose family, crop, size and time, train, evaluate and export.

    python -m training.teach CLIP.mp4 [--minutes N] [--run-folder runs/NAME]

prints the plan with its reasons (--plan stops there) and, at the end, the command that plays the model. While it trains, it renews an
image of the clip and the model every minute. Run the same command again to train for the same time again. Ctrl-C ends the training early; the model so far is saved and exported.
--set KEY=VALUE changes any setting of the training. With --teacher NAME a diffusion model renders the clip first: docs/diffusion.md.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import torch

from engine.core.argument_parser import ArgumentParser
from engine.core.errors import TrainingError, run_main
from engine.core.printable import print_line, print_lines
from training import train
from training.autopilot.clip_analysis import analyse_clip
from training.autopilot.crop import Crop, choose_crop, parse_crop, parse_shape, trimmed
from training.autopilot.family_choice import FamilyChoice, accepting, choose_family, named_teaching, teachings
from training.autopilot.pace import measured_pace
from training.autopilot.plan import (
    LEAST_TRAINING_SHARE,
    Plan,
    allowed_size_steps,
    choose_plan,
    model_settings,
    parse_size,
    reserve_s,
)
from training.autopilot.time_budget import Limits, TimeBudget, ending_s, frame_seconds, process_age_s
from training.core.device import choose_device
from training.core.frame_size import FrameSize
from training.data.config import ClipConfig
from training.data.footage import Footage, footage_sha256, load_footage
from training.data.windows import TRAINING_SHARE
from training.distillation.command import add_teacher_arguments, feature_settings, rendered_clip, subject
from training.families.teaching import SizeStep, Teaching
from training.logging.planned_run_log import PlannedRunLog
from training.logging.preview_image import PreviewImage
from training.loop.checkpoint import Checkpoint, read_newest
from training.loop.config import TrainConfig, keys_of, load_train_config, with_overrides
from training.loop.run_folder import checkpoint_folders
from training.teach_ending import exported

IMAGE_SIZE, FAMILY = "model.image_size", "model.family"
CONFIGS = Path(__file__).parents[1] / "configs" / "train"
SO_FAR = "as in the run so far"


def argument_parser(teacher: str | None = None) -> argparse.ArgumentParser:
    """Describe the command line, with the flags of a teacher in the place of the clip."""
    parser = ArgumentParser(
        prog="python -m training.teach", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    if teacher is None:
        parser.add_argument("clip", type=Path, metavar="CLIP.mp4", help="a video with sound")
    else:
        add_teacher_arguments(parser, teacher)
    parser.add_argument("--teacher", metavar="NAME", help="a diffusion model that renders the clip first")
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
    parser.add_argument("--family", metavar="NAME", help="kind of generator; default: the one that suits the clip best")
    parser.add_argument(
        "--track", metavar="TRACK", help="the clip's sound track, by number or language; default: its default track"
    )
    parser.add_argument("--channels", metavar="N,N", help="channels of that track, e.g. 3,4; default: all, mixed")
    parser.add_argument(
        "--config", type=Path, metavar="FILE.yaml", help="base configuration; default: the family's own"
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="any setting of the training")
    parser.add_argument(
        "--cache-folder", type=Path, metavar="FOLDER", help="cache of decoded clips; default ~/.cache/fluid/clips"
    )
    parser.add_argument("--plan", action="store_true", help="print the plan and stop")
    return parser


def main(argv: list[str] | None = None, started_s: float | None = None) -> int:
    """Run the command line `argv`; `started_s` is the time on the monotonic clock from which the minutes count, by default now."""
    started_s = time.monotonic() if started_s is None else started_s
    arguments = parsed(argv)
    arguments.set += sound_settings(arguments.track, arguments.channels)
    if arguments.minutes is not None and not 0 < arguments.minutes < float("inf"):
        raise TrainingError(f"--minutes is {arguments.minutes:g}; a finite number above 0 was expected.")
    name = train.model_name(subject(arguments) if arguments.teacher else arguments.clip)
    run_folder: Path = arguments.run_folder or Path("runs") / name
    if arguments.teacher:
        arguments.set = feature_settings(arguments) + arguments.set
        # Mistakes in the flags of the training are told before hours of rendering.
        frame_size(arguments)
        able_families(arguments)
        arguments.clip = rendered_clip(arguments, run_folder / f"{name}.mp4")
        if arguments.clip is None:
            return 0
    earlier = earlier_run(run_folder, arguments)
    if arguments.clip.is_file():
        print_line(f"reading   {arguments.clip}, and timing this machine")
    plan = make_plan(arguments, started_s, earlier)
    config = planned_config(arguments, plan, earlier)
    footage = read_footage(arguments, config)
    budget = time_budget(plan, started_s, config, footage)
    plan = replace(plan, spent_s=time.monotonic() - started_s, ending_s=ending_s(budget.limits.test_s, plan.share))
    print_line(*plan.lines(hardware(arguments.device)))
    if arguments.plan:
        print_line(*(f"notice    {notice}" for notice in footage.notices()))
        return 0
    print_line(f"run       {run_folder}" + (f", continued after {earlier.iterations:,} iterations" if earlier else ""))
    preview = PreviewImage(run_folder)
    print_line(f"preview   {preview.path}, renewed every minute: the clip above, the model below")
    settings = plan.settings() | {"model.name": name}
    words = training_arguments(arguments, run_folder, config_file(arguments, plan.family.teaching), settings, earlier)
    failure = run_training(words, run_folder, plan, budget, earlier, preview)
    ending = exported(arguments, run_folder, run_folder / f"{name}.onnx", plan.analysis, budget)
    print_lines("\n".join(["", *ending.lines()]))
    if failure:
        raise failure
    return 0


def parsed(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line. Raises ConfigError, and TrainingError for a teacher that is not there."""
    # Which teacher it is decides which flags there are.
    first = ArgumentParser(add_help=False)
    first.add_argument("--teacher")
    return argument_parser(first.parse_known_args(argv)[0].teacher).parse_args(argv)


def planned_config(arguments: argparse.Namespace, plan: Plan, earlier: Checkpoint | None) -> TrainConfig:
    """Return the configuration that the plan leads to, or that of the run so far, for this clip. Raises TrainingError."""
    config = earlier.config if earlier else loaded_config(arguments, plan.family.teaching, plan.settings())
    return replace(config, clip=replace(config.clip, path=str(arguments.clip)))


def read_footage(arguments: argparse.Namespace, config: TrainConfig) -> Footage:
    """Decode all clips, or read them from the cache. Raises TrainingError, also where nothing moves in what is trained."""
    footage = load_footage(config.clip, config.clip_format(), config.sequence_frames, arguments.cache_folder)
    if all(segment.clip.is_still(trained_share(config)) for segment in footage.training):
        crop = f"the crop {','.join(map(str, config.clip.crop))} of " if config.clip.crop else ""
        raise TrainingError(
            f"Nothing moves in {crop}{arguments.clip}; choose a crop in which something moves with the sound, by --crop x,y,w,h."
        )
    return footage


def time_budget(plan: Plan, started_s: float, config: TrainConfig, footage: Footage) -> TimeBudget:
    """Return how the time of this command is kept, from now on."""
    whole_s = 60.0 * plan.minutes
    frame_s = frame_seconds(plan.iteration_s, config.sequence_frames * config.sequences_per_batch)
    tested = sum(segment.frame_range.count for segment in (*footage.validation, *footage.tuning))
    limits = Limits(
        ends_at_s=started_s + whole_s,
        least_training_s=LEAST_TRAINING_SHARE * whole_s,
        reserve_s=reserve_s(plan.minutes),
        test_s=tested * frame_s,
        frame_s=frame_s,
        share=plan.share,
    )
    return TimeBudget(limits)


def run_training(
    words: list[str],
    run_folder: Path,
    plan: Plan,
    budget: TimeBudget,
    earlier: Checkpoint | None,
    preview: PreviewImage | None = None,
) -> TrainingError | None:
    """Train. Return the error that ended it early where it left a checkpoint, which is worth a model; raise every other."""
    open_log = partial(PlannedRunLog, predicted=plan.iterations)
    try:
        # What it prints at its end is said in the ending.
        with contextlib.redirect_stdout(io.StringIO()):
            outputs = replace(train.RUN_OUTPUTS, open_log=open_log, preview=preview)
            train.main(words, outputs, budget.training_left_s)
    except TrainingError as error:
        so_far = earlier.iterations if earlier else -1
        if all(int(folder.name) <= so_far for folder in checkpoint_folders(run_folder)):
            raise
        return error
    return None


def earlier_run(run_folder: Path, arguments: argparse.Namespace) -> Checkpoint | None:
    """Return the newest checkpoint of a run on this clip, or None for a new folder.

    Raises TrainingError when the folder holds a run on another clip, and when the flags ask for another family, crop or size.
    """
    if not checkpoint_folders(run_folder):
        return None
    earlier, _ = read_newest(run_folder)
    family = earlier.config.model.family
    if asked_family(arguments) not in (None, family):
        raise TrainingError(
            f"{run_folder} already holds a run of the family '{family}', which cannot change; omit --family to continue it, or choose "
            "another --run-folder."
        )
    if arguments.clip.is_file():
        # The run so far says which track and channels, unless the flags do.
        asked = loaded_config(arguments, named_teaching(family)).clip
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
    able = {} if earlier else able_families(arguments)
    started = earlier.config if earlier else loaded_config(arguments, next(iter(able.values())))
    size, shape = frame_size(arguments)
    if earlier:
        size, shape = None, earlier.config.model.frame_size.shape
    analysis = analyse_clip(arguments.clip, trained_share(started), started.clip.sound_choice())
    if earlier:
        family = FamilyChoice(started.model.family, named_teaching(started.model.family), SO_FAR)
    else:
        family = choose_family(able, analysis.traits())
    if arguments.crop:
        crop = parse_crop(arguments.crop, analysis)
    elif earlier and earlier.config.clip.crop:
        crop = Crop(*earlier.config.clip.crop, SO_FAR)
    else:
        crop = choose_crop(analysis, shape, family.teaching.fewest_pixels)

    given = keys_of(arguments.config) if arguments.config else frozenset[str]()
    shares: list[float] = []

    def measure(size_step: SizeStep) -> float:
        if earlier:
            changed = given_settings(arguments) | {"device": arguments.device}
            config = TrainConfig.from_dict(with_overrides(earlier.config.to_dict(), changed))
        else:
            settings = model_settings(family, size_step, analysis, given)
            config = loaded_config(arguments, family.teaching, settings, device=arguments.device)
        pace = measured_pace(config)
        shares.append(pace.share)
        return pace.iteration_s

    size_steps = [SizeStep(started.model.image_size)] if earlier else allowed_size_steps(family, crop, size)
    spent_s = partial(_seconds_since, started_s)
    plan = choose_plan(analysis, family, crop, size_steps, measure, spent_s, arguments.minutes)
    if not earlier:
        plan = replace(plan, crop=trimmed(crop, plan.size_step.frame_size))
    return replace(plan, share=shares[-1], given=given)


def _seconds_since(started_s: float) -> float:
    return time.monotonic() - started_s


def able_families(arguments: argparse.Namespace) -> dict[str, Teaching]:
    """Return the families that may be chosen: those that know all settings of the flags, or the one that is asked for.

    Raises TrainingError for one that is not there, and for settings that no family knows.
    """
    name = asked_family(arguments)
    if arguments.config:
        of_file = load_train_config(arguments.config).model.family
        if name not in (None, of_file):
            raise TrainingError(
                f"--family is '{name}', and {arguments.config} is for the family '{of_file}'; leave one of them out."
            )
        name = of_file
    candidates = {name: named_teaching(name)} if name else teachings()
    return accepting(candidates, partial(loaded_config, arguments))


def asked_family(arguments: argparse.Namespace) -> str | None:
    """Return the family that the flags ask for. Raises TrainingError where two of them do."""
    by_setting = given_settings(arguments).get(FAMILY)
    if by_setting is not None and arguments.family:
        raise TrainingError(f"--family and --set {FAMILY} both name the family; leave one of them out.")
    return arguments.family or (None if by_setting is None else str(by_setting))


def config_file(arguments: argparse.Namespace, teaching: Teaching) -> Path:
    """Return the base configuration."""
    return arguments.config or CONFIGS / teaching.config_file


def loaded_config(
    arguments: argparse.Namespace, teaching: Teaching, settings: Mapping[str, Any] | None = None, **more: Any
) -> TrainConfig:
    """Return the base configuration with `settings`, those of the flags, which win, and `more`. Raises TrainingError."""
    return load_train_config(
        config_file(arguments, teaching), {**(settings or {}), **given_settings(arguments), **more}
    )


def frame_size(arguments: argparse.Namespace) -> tuple[FrameSize | None, Fraction | None]:
    """Return the size and the shape that the flags ask for. Raises TrainingError for wrong ones and for two sizes or shapes."""
    name, text = "--size", arguments.size
    if IMAGE_SIZE in (settings := given_settings(arguments)):
        name = f"--set {IMAGE_SIZE}"
        if arguments.size:
            raise TrainingError(f"--size and {name} both give the frame a size; leave one of them out.")
        text = str(settings[IMAGE_SIZE])
    if arguments.shape and (text or arguments.crop):
        other = name if text else "--crop"
        raise TrainingError(f"--shape and {other} both give the frame a shape; leave one of them out.")
    size = parse_size(text, name) if text else None
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
    arguments: argparse.Namespace, run_folder: Path, base: Path, settings: dict[str, Any], earlier: Checkpoint | None
) -> list[str]:
    """Return the command line for `training.train`; the user's own settings come last and win."""
    if earlier is None:
        argv = [str(base), "--run-folder", str(run_folder)]
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


def hardware(device: str) -> str:
    """Return the name of the device that trains."""
    if choose_device(device).type == "cuda":
        return torch.cuda.get_device_name()
    threads = torch.get_num_threads()
    return "1 processor thread" if threads == 1 else f"{threads} processor threads"


if __name__ == "__main__":
    # Starting Python and reading the libraries counts as well.
    run_main(lambda: main(started_s=time.monotonic() - process_age_s()))
