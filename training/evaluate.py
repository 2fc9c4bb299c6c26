"""Measure what generators make of sound they were not taught, beside a floor and a ceiling.

    python -m training.evaluate RUN [RUN ...] [--clip FILE] [--foreign FOLDER] [--weights FILE ...] [--out FOLDER]

Plays the held-out end of the clip at several sequence lengths, then the taught part looped for those beyond it. Prints tables and
writes evaluation.json, curves.png and evaluation.html. Without weights only pixels and synchrony are measured; the small ones come with
python -m training.evaluation.metrics.fetch_weights. docs/evaluation.md says what each figure is and is not.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from tqdm import tqdm

from engine.core.atomic_files import write_text
from engine.core.errors import TrainingError, run_main
from training.core.checkpoint import current_commit
from training.data.video import Clip
from training.evaluation.foreign import ForeignSound, foreign_pieces
from training.evaluation.metrics.extractors import Extractors, load_extractors
from training.evaluation.metrics.fetch_weights import DEFAULT_FOLDER
from training.evaluation.page import page
from training.evaluation.plots import draw, svg, write_png
from training.evaluation.results import Evaluation, ForeignRow
from training.evaluation.subjects import load_shared_clip, load_subjects, run_folder
from training.evaluation.suite import Subject, Suite, SuiteOptions
from training.evaluation.text import report
from training.evaluation.traces import Judge

SHORTEST_LENGTH = 8
DEFAULTS = SuiteOptions()


def argument_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("checkpoints", type=Path, nargs="+", metavar="RUN", help="run folders or checkpoints, shown side by side")
    add("--clip", type=Path, metavar="FILE", help="default: the clip that the first one was taught")
    add("--lengths", metavar="N,N,...", help=f"of sequences in frames; default {','.join(map(str, DEFAULTS.lengths))}")
    add(
        "--sequences",
        type=int,
        default=DEFAULTS.sequences,
        metavar="N",
        help="at most so many of each length; default 4",
    )
    add("--shifts", type=int, default=DEFAULTS.shifts, metavar="N", help="of the shuffled sound; default 4")
    add(
        "--weights", type=Path, nargs="+", metavar="PATH", help=f"files or folders; default {DEFAULT_FOLDER} if present"
    )
    add(
        "--trust", metavar="SHA256", help="run the TorchScript file of this SHA-256 among the weights (an I3D, for FVD)"
    )
    add("--foreign", type=Path, metavar="FOLDER", help="sound or video files that the model does not know")
    add("--pieces", type=int, default=1, metavar="N", help="of 1 to 5 s from each foreign file; default 1")
    add("--seed", type=int, default=DEFAULTS.seed, metavar="N", help="of noise and pieces; default 20")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto")
    add("--threads", type=int, default=0, metavar="N", help="CPU threads of torch; default its own choice")
    add("--out", type=Path, metavar="FOLDER", help="default RUN/evaluation")
    add(
        "--cache-folder", type=Path, metavar="FOLDER", help="where decoded clips are kept; default ~/.cache/fluid/clips"
    )
    return parser


def parse_options(arguments: argparse.Namespace) -> SuiteOptions:
    """Return how much is played. Raises TrainingError for lengths and counts that cannot be."""
    text = arguments.lengths
    try:
        lengths = tuple(sorted({int(word) for word in text.split(",")})) if text is not None else DEFAULTS.lengths
    except ValueError:
        raise TrainingError(
            f"--lengths is {text!r}; numbers of frames with commas were expected, as 16,32,64."
        ) from None
    if min(lengths) < SHORTEST_LENGTH:
        raise TrainingError(f"--lengths holds {min(lengths)}; {SHORTEST_LENGTH} frames or more were expected.")
    for name in ("sequences", "shifts", "pieces"):
        if getattr(arguments, name) < 1:
            raise TrainingError(f"--{name} is {getattr(arguments, name)}; 1 or more was expected.")
    return SuiteOptions(lengths=lengths, sequences=arguments.sequences, shifts=arguments.shifts, seed=arguments.seed)


def measure(
    arguments: argparse.Namespace, subjects: Sequence[Subject], clip: Clip, extractors: Extractors, device: torch.device
) -> tuple[Evaluation, Suite]:
    """Play and judge everything. Raises TrainingError for a clip or foreign folder that cannot be used."""
    options, notices = parse_options(arguments), clip.notices()
    bar = tqdm(desc="evaluating", unit="frame", mininterval=0.5, dynamic_ncols=True)
    with bar:
        judge = Judge(extractors, device, bar.update)
        suite = Suite(clip, subjects, judge, options)
        pieces = []
        if arguments.foreign is not None:
            pieces, skipped = foreign_pieces(arguments.foreign, clip, arguments.pieces, options.seed)
            notices += skipped
        bar.total = suite.frames() + 4 * len(subjects) * sum(piece.frames for piece in pieces)
        rows = suite.rows()
        foreign: dict[str, list[ForeignRow]] = {}
        if pieces:
            world = ForeignSound(clip, suite.real, judge, options.seed)
            mean_HWC = suite.mean_picture()
            foreign = {subject.name: world.rows(subject.model, pieces, mean_HWC) for subject in subjects}
    return Evaluation(
        _about(subjects, clip, suite, options, extractors), rows, foreign, extractors.missing(), notices
    ), suite


def _about(
    subjects: Sequence[Subject], clip: Clip, suite: Suite, options: SuiteOptions, extractors: Extractors
) -> dict[str, object]:
    return {
        "names": [subject.name for subject in subjects],
        "checkpoints": [subject.path for subject in subjects],
        "clip": clip.file,
        "frames": len(clip.frames_NHWC),
        "held_out_frames": suite.held_out.count,
        "fps": clip.format.fps,
        "image_size": clip.format.image_size,
        "commit": current_commit(),
        "lengths": list(options.lengths),
        "sequences": options.sequences,
        "shifts": options.shifts,
        "seed": options.seed,
        "weights": extractors.files,
    }


def write(folder: Path, evaluation: Evaluation, suite: Suite) -> None:
    """Write JSON, PNG and HTML. Raises TrainingError when they cannot be written."""
    figure = draw(evaluation)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / "evaluation.json", json.dumps(evaluation.record(), indent=1, ensure_ascii=False) + "\n")
        write_text(folder / "evaluation.html", page(evaluation, svg(figure), suite.sheets))
    except OSError as error:
        raise TrainingError(
            f"Cannot write to {folder} ({error.strerror}); choose another folder with --out."
        ) from error
    write_png(folder / "curves.png", figure)


def main(words: list[str] | None = None) -> int:
    arguments = argument_parser().parse_args(words)
    parse_options(arguments)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    device = torch.device("cuda" if arguments.device != "cpu" and torch.cuda.is_available() else "cpu")
    if arguments.device == "cuda" and device.type != "cuda":
        raise TrainingError("--device is cuda, but torch sees no CUDA device; use --device cpu.")
    given = arguments.weights if arguments.weights is not None else [DEFAULT_FOLDER] if DEFAULT_FOLDER.is_dir() else []
    extractors = load_extractors(given, arguments.trust)
    subjects, loaded = load_subjects(arguments.checkpoints, device)
    clip = load_shared_clip(loaded, arguments.clip, arguments.cache_folder)
    evaluation, suite = measure(arguments, subjects, clip, extractors, device)
    folder = arguments.out or run_folder(arguments.checkpoints[0]) / "evaluation"
    write(folder, evaluation, suite)
    print(report(evaluation))
    print(f"\nwritten: {folder / 'evaluation.html'}, curves.png, evaluation.json", file=sys.stderr)
    return 0


if __name__ == "__main__":
    run_main(main)
