"""How good are the frames that a model makes of sound that it was not trained on, and what do they cost? One table for several models.

    python -m benchmarks.picture CLIP.mp4 MODEL.onnx [MODEL.onnx ...] [--weights PATH ...] [--sheet FILE.png]
    python -m benchmarks.picture OTHER.mp4 MODEL.onnx --from-s 0 --to-s 10      # of a clip that was not trained on at all

The sound is that of the held-out part, the last fifth of the clip, as `training.teach` and `training.evaluate` leave it out; at most
--seconds of it. The engine plays each model as in a show, with input conditioning (--no-conditioning leaves it out), on the processor's
compositor where a model is layered. Frames are compared at the clip's own size: those of another size are enlarged bicubically. The
column "clip, a frame late" is the best that can be reached without the same frames. docs/evaluation.md defines each figure; those whose
weights are not there are named.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.clip_part import ClipPart, Extent, compared_format, read_part, rendered
from benchmarks.frame_figures import Figures, FrameFigures
from benchmarks.frame_sheet import Row, sheet, spread
from benchmarks.record import append_record, print_table
from benchmarks.step import measure
from engine.core.argument_parser import ArgumentParser
from engine.core.distinct_names import distinct_names
from engine.core.errors import ConfigError, run_main
from engine.core.printable import print_lines
from engine.media.geometry import Box
from engine.model.backend import Backend
from engine.model.backends.selection import AUTO, backend_names, open_backend, read_card
from engine.model.rest import RestingBackend
from engine.model.session import Session
from training.data.video import ClipFormat
from training.evaluation.frame_metrics import FrameMetrics
from training.evaluation.metrics.extractors import load_extractors
from training.evaluation.metrics.fetch_weights import DEFAULT_FOLDER, weights_of
from training.logging.samples import write_png

# T frames, H W rows and columns, C colours

FAMILY, ITERATIONS, FRAME_SIZE, RATE, FILE_SIZE = "family", "iterations", "frame", "frames a second", "file MB"
STEPS = 120
UNKNOWN = "-"


@dataclass(frozen=True, slots=True)
class Measured:
    """One column of the table, and its frames for the sheet."""

    name: str
    figures: dict[str, object]
    shown_THWC: NDArray[np.uint8]


def main(argv: list[str] | None = None) -> int:
    arguments = parsed(argv)
    given = weights_of(arguments.weights)
    extractors = load_extractors(given)
    parts: dict[ClipFormat, tuple[ClipPart, FrameFigures]] = {}
    columns: list[Measured] = []
    with tqdm(desc="measuring", unit="frame", dynamic_ncols=True) as bar:
        metrics = FrameMetrics(extractors, torch.device("cpu"), bar.update)
        for name, path in zip(names(arguments.models), arguments.models, strict=True):
            clip_format = compared_format(arguments.clip, read_card(path), arguments.box)
            if clip_format not in parts:
                read = read_part(
                    arguments.clip, clip_format, arguments.extent, arguments.shifts, arguments.cache_folder
                )
                parts[clip_format] = read, FrameFigures(read, metrics)
            columns.append(measured(name, path, *parts[clip_format], arguments))
        real = [clip_column(part, figures, len(parts) > 1) for part, figures in parts.values()]
    first = next(iter(parts.values()))[0]
    about = description(arguments, first)
    missing = [line for line in extractors.missing() if line.startswith(("ST-LPIPS", "FD"))]
    table = [*real, *columns]
    print_lines("\n".join([about, *missing]))
    print_table(["", *(column.name for column in table)], rows_of(table))
    if arguments.sheet:
        rows: list[Row] = [("the clip", spread(first.frames_THWC))]
        rows += [(column.name, column.shown_THWC) for column in columns]
        write_sheet(arguments.sheet, rows)
    if not arguments.no_record:
        figures = {column.name: {label: rounded(value) for label, value in column.figures.items()} for column in table}
        part = {
            "clip": arguments.clip.name,
            "from_s": first.times_s[0],
            "to_s": first.times_s[1],
            "crop": arguments.crop,
        }
        asked = {"held_out": arguments.extent.is_held_out, "conditioning": not arguments.no_conditioning}
        weights = {"weights": extractors.files, "missing": missing}
        append_record("picture", {**part, **asked, **weights, "figures": figures}, backend=arguments.backend)
    return 0


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the flags, with the extent that they ask for. Raises ConfigError."""
    parser = ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path, metavar="CLIP", help="the video that the models were trained on")
    parser.add_argument("models", type=Path, nargs="+", metavar="MODEL", help="model files")
    parser.add_argument("--from-s", type=float, metavar="S", help="where the part begins; default: the held-out part")
    parser.add_argument("--to-s", type=float, metavar="S", help="where it ends")
    parser.add_argument("--seconds", type=float, default=12.0, metavar="N", help="at most so much of it (default 12)")
    parser.add_argument("--crop", metavar="X,Y,W,H", help="of the models, as their plan named it; default: the middle")
    parser.add_argument(
        "--weights", type=Path, nargs="+", metavar="PATH", help=f"files, folders; default {DEFAULT_FOLDER}"
    )
    parser.add_argument("--shifts", type=int, default=3, metavar="N", help="shifts of the shuffled sound (default 3)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="for the milliseconds (default 1 2)")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"for the milliseconds (default {STEPS})")
    parser.add_argument("--backend", default=AUTO, choices=backend_names())
    parser.add_argument("--no-conditioning", action="store_true", help="give the models the sound as it is")
    parser.add_argument(
        "--sheet", type=Path, metavar="FILE.png", help="write frames of the clip above those of each model"
    )
    parser.add_argument("--cache-folder", type=Path, metavar="FOLDER", help="cache of decoded clips")
    parser.add_argument("--no-record", action="store_true")
    arguments = parser.parse_args(argv)
    for name, least in (("shifts", 1), ("steps", 1), ("seconds", 0.0)):
        if getattr(arguments, name) < least or not math.isfinite(getattr(arguments, name)):
            raise ConfigError(f"--{name} is {getattr(arguments, name):g}; {least:g} or more was expected.")
    if min(arguments.threads) < 1:
        raise ConfigError(f"--threads is {min(arguments.threads)}; 1 or more was expected.")
    if arguments.sheet and arguments.sheet.suffix.lower() != ".png":
        raise ConfigError(f"--sheet is {arguments.sheet}; a name that ends in .png was expected.")
    if arguments.sheet and not arguments.sheet.parent.is_dir():
        raise ConfigError(f"--sheet names a file in {arguments.sheet.parent}, which is no folder; make it first.")
    arguments.extent = Extent(from_s=arguments.from_s, to_s=arguments.to_s, longest_s=arguments.seconds)
    arguments.box = parsed_box(arguments.crop)
    return arguments


def parsed_box(text: str | None) -> Box | None:
    """Return the box of "x,y,w,h". Raises ConfigError for a wrong text."""
    if text is None:
        return None
    numbers = text.split(",")
    if len(numbers) != 4 or not all(number.strip().isdecimal() for number in numbers):
        raise ConfigError(f"--crop is '{text}'; x,y,w,h in displayed pixels was expected, such as 32,0,288,288.")
    return Box(*(int(number) for number in numbers))


def names(models: Sequence[Path]) -> list[str]:
    """Return a name for each model file, none twice."""
    return [str(name) for name in distinct_names([Path(path.name) for path in models])]


def measured(name: str, path: Path, part: ClipPart, figures: FrameFigures, arguments: argparse.Namespace) -> Measured:
    """Measure one model."""
    backend = open_backend(path, arguments.backend, max(arguments.threads))
    frames_THWC, quality = played_quality(backend, part, figures, not arguments.no_conditioning)
    card = backend.card
    found: dict[str, object] = {
        FAMILY: card.family,
        ITERATIONS: card.provenance.iterations,
        FRAME_SIZE: f"{card.width}x{card.height}",
        RATE: round(card.fps),
        **quality,
        **milliseconds(path, arguments),
        FILE_SIZE: path.stat().st_size / 1e6,
    }
    return Measured(name, found, spread(frames_THWC))


def played_quality(
    backend: Backend, part: ClipPart, figures: FrameFigures, conditioned: bool
) -> tuple[NDArray[np.uint8], Figures]:
    """Return the frames [T, H, W, C] that a model makes of the part's sound, and their figures. Raises BackendError."""
    frames_THWC = rendered(backend, part, conditioned)
    shuffled = (rendered(backend, part, conditioned, shift) for shift in part.shifts)
    return frames_THWC, {**figures.of(frames_THWC), **figures.synchrony(frames_THWC, shuffled)}


def milliseconds(path: Path, arguments: argparse.Namespace) -> Figures:
    """Return the time of a step, with composing, by the number of threads."""
    found: Figures = {}
    threads_before = cv2.getNumThreads()
    # As in a show, where OpenCV's own threads would take the cores of others.
    cv2.setNumThreads(1)
    for threads in arguments.threads:
        backend = open_backend(path, arguments.backend, threads)
        took = measure(Session(RestingBackend(backend)), arguments.steps, paced=False)
        of = f"{threads} thread{'' if threads == 1 else 's'}"
        found |= {f"ms a frame, {of}, p50": took["p50_ms"], f"ms a frame, {of}, p95": took["p95_ms"]}
    cv2.setNumThreads(threads_before)
    return found


def clip_column(part: ClipPart, figures: FrameFigures, several: bool) -> Measured:
    """Return what the clip itself gives, one frame late."""
    late_THWC, (height, width) = figures.one_frame_late(), part.format.frame_size
    own = {FRAME_SIZE: f"{width}x{height}", RATE: part.format.fps}
    name = f"clip, a frame late, {width}x{height} at {part.format.fps}" if several else "clip, a frame late"
    return Measured(name, {**own, **figures.of(late_THWC), **figures.synchrony(part.frames_THWC)}, spread(late_THWC))


def description(arguments: argparse.Namespace, part: ClipPart) -> str:
    """Say what is compared."""
    begin_s, end_s = part.times_s
    what = "held out" if arguments.extent.is_held_out else "as asked for"
    conditioning = "without" if arguments.no_conditioning else "with"
    return (
        f"{arguments.clip.name}, {begin_s:.1f} to {end_s:.1f} s ({what}), {conditioning} input conditioning, "
        f"backend {arguments.backend}; frames of another size are brought to the clip's"
    )


def rows_of(columns: Sequence[Measured]) -> list[list[object]]:
    """Return one row for each figure that any column has."""
    labels = dict.fromkeys(label for column in reversed(columns) for label in column.figures)
    return [[label, *(shown(column.figures.get(label)) for column in columns)] for label in labels]


def shown(value: object) -> str:
    """Return a value with three significant digits; a figure that was not measured is a dash."""
    if value is None:
        return UNKNOWN
    if not isinstance(value, float):
        return str(value)
    return f"{value:.3g}" if 0.001 <= abs(value) < 1000.0 or value == 0.0 else f"{value:.2e}"


def rounded(value: object) -> object:
    """Return a value as the record has it."""
    return float(f"{value:.5g}") if isinstance(value, float) else value


def write_sheet(path: Path, rows: Sequence[Row]) -> None:
    """Write the contact sheet. Raises ConfigError where that is not possible."""
    try:
        write_png(path, sheet(rows))
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror}); choose another --sheet.") from error
    print_lines(f"sheet: {path}", file=sys.stderr)


if __name__ == "__main__":
    run_main(main)
