"""Render a clip from sound with a diffusion model.

    python -m training.render --family tempotokens --audio song.wav --text "a drummer on a stage" -o clip.mp4 --weights FOLDER
    python -m training.render --family tempotokens --weights FOLDER --check-weights

Says what it will do and how much memory it needs before anything is loaded, then shows the time left and writes a strip of frames
beside the clip. `--family NAME --help` shows the flags of one family; docs/diffusion.md says where weights come from.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.core.argument_parser import ArgumentParser
from engine.core.atomic_files import check_writable
from engine.core.errors import SinkError, TrainingError, run_main
from engine.core.printable import print_line
from training.core.device import choose_device
from training.data.clip_sound import read_sound
from training.data.video_files import SUFFIXES
from training.diffusion.cost import operations_per_s
from training.diffusion.job_flags import add_job_arguments, can_keep, check_memory, duration, job_of, memory_told
from training.diffusion.loaded import Loaded
from training.diffusion.progress import RenderProgress
from training.diffusion.render_family import (
    RENDER_RATE_HZ,
    RenderFamily,
    RenderJob,
    RenderPlan,
    family_names,
    render_family,
)
from training.diffusion.weight_files import add_check_argument, require, show_weights
from training.families.offline import render_file

STRIP_SUFFIX = ".preview.png"


def argument_parser(family: RenderFamily | None = None) -> argparse.ArgumentParser:
    """Describe the command line, with the flags of one family."""
    parser = ArgumentParser(
        prog="python -m training.render", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--family", metavar="NAME", required=True, help=f"one of {', '.join(family_names())}")
    parser.add_argument("--weights", type=Path, metavar="FOLDER", required=True, help="folder with the published files")
    add_check_argument(parser)
    parser.add_argument("--audio", type=Path, metavar="FILE", help="sound, or a film with sound")
    parser.add_argument("-o", "--output", type=Path, metavar="CLIP.mp4", help="the clip, with its sound")
    parser.add_argument("--start", type=float, default=0.0, metavar="S", help="where to begin in the sound; default 0")
    parser.add_argument("--seconds", type=float, metavar="S", help="how much of the sound; default: all of it")
    add_job_arguments(parser, family)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--no-preview", action="store_true", help=f"no strip of frames in CLIP{STRIP_SUFFIX}")
    if family:
        parser.description = f"{__doc__}\n{family.about}"
        family.add_arguments(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    # Which family it is decides which flags there are.
    first = ArgumentParser(add_help=False)
    first.add_argument("--family")
    name = first.parse_known_args(argv)[0].family
    family = render_family(name) if name else None
    arguments = argument_parser(family).parse_args(argv)
    assert family is not None, "the parser demands --family"
    if arguments.check_weights:
        show_weights(arguments.weights, family.weight_files(arguments))
        return 0
    render_clip(family, arguments, Loaded())
    return 0


def render_clip(family: RenderFamily, arguments: argparse.Namespace, loaded: Loaded) -> None:
    """Render the clip that the flags ask for. `loaded` keeps its networks for the next clip if it shall and there is memory for that.

    Raises UserError for what cannot be rendered, before anything takes long where that is known.
    """
    output = _output(arguments)
    require(arguments.weights, family.weight_files(arguments))
    sound_S = _sound(arguments)
    job = job_of(arguments, len(sound_S) / RENDER_RATE_HZ, choose_device(arguments.device))
    plan = family.plan(arguments, job)
    if not loaded.holds_some:
        loaded.keeps = loaded.keeps and can_keep(plan, job, arguments.most_memory)
    _tell(plan, job, loaded.keeps)
    if not loaded.holds_some:
        # What is loaded already is no longer among what the device has.
        check_memory(plan, job, arguments.most_memory)
    strip = None if arguments.no_preview else output.with_name(output.name + STRIP_SUFFIX)
    progress = RenderProgress(strip)
    try:
        renderer = family.open(arguments, job, progress, loaded)
        frames = render_file(renderer, sound_S, output, "choose another place with -o")
    finally:
        progress.end()
    print_line(f"clip      {output}: {frames} frames" + (f"; some of them in {strip}" if strip else ""))


def _output(arguments: argparse.Namespace) -> Path:
    """Return where the clip goes, before anything takes long. Raises TrainingError and SinkError."""
    if arguments.audio is None or arguments.output is None:
        raise TrainingError(f"{'--audio' if arguments.audio is None else '--output'} is missing; add it. See --help.")
    output: Path = arguments.output
    if output.suffix.lower() not in SUFFIXES:
        raise TrainingError(
            f"--output is {output}; a film was expected, as {output.with_suffix('.mp4').name} ({', '.join(SUFFIXES)})."
        )
    for flag in ("audio", "image"):
        given = getattr(arguments, flag, None)
        if given is not None and output.exists() and given.exists() and output.samefile(given):
            raise TrainingError(
                f"--output is {output}, which is --{flag} too and would be lost; choose another place with -o."
            )
    try:
        check_writable(output)
    except OSError as error:
        raise SinkError(f"Cannot write {output}: {error.strerror}; choose another place with -o.") from error
    return output


def _sound(arguments: argparse.Namespace) -> NDArray[np.float32]:
    """Return the part of the sound [S] that is asked for, at RENDER_RATE_HZ. Raises MediaError and TrainingError."""
    length_s = arguments.seconds
    if not 0.0 <= arguments.start < math.inf or (length_s is not None and not 0.0 < length_s < math.inf):
        raise TrainingError(
            f"--start is {arguments.start:g} and --seconds {length_s}; at least 0 and more than 0 were expected."
        )
    sound_S = read_sound(arguments.audio, RENDER_RATE_HZ)
    first = round(arguments.start * RENDER_RATE_HZ)
    if first >= len(sound_S):
        raise TrainingError(
            f"{arguments.audio} has {len(sound_S) / RENDER_RATE_HZ:.2f} s of sound; --start {arguments.start:g} is behind its end."
        )
    return sound_S[first : None if length_s is None else first + max(round(length_s * RENDER_RATE_HZ), 1)]


def _tell(plan: RenderPlan, job: RenderJob, keeps: bool) -> None:
    """Print what will be done."""
    seconds = plan.operations / operations_per_s(job.device, job.kind)
    print_line(
        f"plan      {plan.about}",
        f"memory    {memory_told(plan, job, keeps)}",
        f"work      {plan.operations / 1e12:.3g} TFLOP, about {duration(seconds)} here",
        f"seed      {job.seed}",
        *(f"notice    {notice}" for notice in plan.notices),
    )


if __name__ == "__main__":
    run_main(main)
