"""Measure how well generators follow sound that they were not trained on, with a floor and a ceiling.

    python -m training.evaluate RUN [RUN ...] [--clip FILE] [--foreign FOLDER] [--weights FILE ...] [--out FOLDER]

Generates the held-out part of the clip at several sequence lengths; longer sequences use the trained part, looped. Prints tables and
writes evaluation.json, curves.png and evaluation.html. Without weight files, only pixel figures and synchrony are measured; fetch
small ones with python -m training.evaluation.metrics.fetch_weights. docs/evaluation.md explains each figure.
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
from engine.core.printable import print_lines
from training.data.video import Clip
from training.evaluation.evaluator import EvaluatedGenerator, EvaluationOptions, Evaluator
from training.evaluation.frame_metrics import FrameMetrics
from training.evaluation.generators import load_generators, load_shared_clip, run_folder
from training.evaluation.metrics.extractors import Extractors, load_extractors
from training.evaluation.metrics.fetch_weights import DEFAULT_FOLDER
from training.evaluation.outside_sound import OutsideSound, outside_excerpts
from training.evaluation.page import page
from training.evaluation.plots import draw, svg, write_png
from training.evaluation.results import Evaluation, OutsideRow
from training.evaluation.text import report
from training.loop.checkpoint import current_commit

SHORTEST_LENGTH = 8
DEFAULTS = EvaluationOptions()


def argument_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("checkpoints", type=Path, nargs="+", metavar="RUN", help="run folders or checkpoints to compare")
    add("--clip", type=Path, metavar="FILE", help="default: the clip of the first run")
    lengths = ",".join(map(str, DEFAULTS.lengths))
    add("--lengths", metavar="N,N,...", help=f"sequence lengths in frames; default {lengths}")
    add("--sequences", type=int, default=DEFAULTS.sequences, metavar="N", help="most sequences per length; default 4")
    add("--shifts", type=int, default=DEFAULTS.shifts, metavar="N", help="shifts of the shuffled sound; default 4")
    add(
        "--weights",
        type=Path,
        nargs="+",
        metavar="PATH",
        help=f"weight files or folders; default {DEFAULT_FOLDER} if present",
    )
    add("--trust", metavar="SHA256", help="allow the TorchScript weight file with this SHA-256 (an I3D, for FVD)")
    add("--foreign", type=Path, metavar="FOLDER", help="folder with sound or video files from outside the clip")
    add("--pieces", type=int, default=1, metavar="N", help="excerpts of 1 to 5 s from each of these files; default 1")
    add("--seed", type=int, default=DEFAULTS.seed, metavar="N", help="seed of the noise and the excerpts; default 20")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto")
    add("--threads", type=int, default=0, metavar="N", help="CPU threads; default: torch's own choice")
    add("--out", type=Path, metavar="FOLDER", help="default RUN/evaluation")
    add("--cache-folder", type=Path, metavar="FOLDER", help="cache of decoded clips; default ~/.cache/fluid/clips")
    return parser


def parse_options(arguments: argparse.Namespace) -> EvaluationOptions:
    """Return the options of the evaluation. Raises TrainingError for wrong lengths and counts."""
    text = arguments.lengths
    try:
        lengths = tuple(sorted({int(word) for word in text.split(",")})) if text is not None else DEFAULTS.lengths
    except ValueError:
        raise TrainingError(
            f"--lengths is {text!r}; numbers of frames separated by commas were expected, such as 16,32,64."
        ) from None
    if min(lengths) < SHORTEST_LENGTH:
        raise TrainingError(f"--lengths holds {min(lengths)}; {SHORTEST_LENGTH} frames or more were expected.")
    for name in ("sequences", "shifts", "pieces"):
        if getattr(arguments, name) < 1:
            raise TrainingError(f"--{name} is {getattr(arguments, name)}; 1 or more was expected.")
    return EvaluationOptions(
        lengths=lengths, sequences=arguments.sequences, shifts=arguments.shifts, seed=arguments.seed
    )


def measure(
    arguments: argparse.Namespace,
    generators: Sequence[EvaluatedGenerator],
    clip: Clip,
    extractors: Extractors,
    device: torch.device,
) -> tuple[Evaluation, Evaluator]:
    """Generate and measure everything. Raises TrainingError for a clip or a --foreign folder that cannot be used."""
    options, notices = parse_options(arguments), clip.notices()
    bar = tqdm(desc="evaluating", unit="frame", mininterval=0.5, dynamic_ncols=True)
    with bar:
        metrics = FrameMetrics(extractors, device, bar.update)
        evaluator = Evaluator(clip, generators, metrics, options)
        excerpts = []
        if arguments.foreign is not None:
            excerpts, skipped = outside_excerpts(arguments.foreign, clip, arguments.pieces, options.seed)
            notices += skipped
        bar.total = evaluator.frames() + 4 * len(generators) * sum(excerpt.frames for excerpt in excerpts)
        rows = evaluator.rows()
        outside: dict[str, list[OutsideRow]] = {}
        if excerpts:
            outside_sound = OutsideSound(clip, evaluator.real, metrics, options.seed)
            mean_HWC = evaluator.mean_frame()
            outside = {each.name: outside_sound.rows(each.model, excerpts, mean_HWC) for each in generators}
    return Evaluation(
        _about(generators, clip, evaluator, options, extractors), rows, outside, extractors.missing(), notices
    ), evaluator


def _about(
    generators: Sequence[EvaluatedGenerator],
    clip: Clip,
    evaluator: Evaluator,
    options: EvaluationOptions,
    extractors: Extractors,
) -> dict[str, object]:
    return {
        "names": [generator.name for generator in generators],
        "checkpoints": [generator.path for generator in generators],
        "clip": clip.file,
        "frames": len(clip.frames_NHWC),
        "held_out_frames": evaluator.held_out.count,
        "fps": clip.format.fps,
        "image_size": clip.format.image_size,
        "commit": current_commit(),
        "lengths": list(options.lengths),
        "sequences": options.sequences,
        "shifts": options.shifts,
        "seed": options.seed,
        "weights": extractors.files,
    }


def write(folder: Path, evaluation: Evaluation, evaluator: Evaluator) -> None:
    """Write JSON, PNG and HTML. Raises TrainingError when they cannot be written."""
    figure = draw(evaluation)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / "evaluation.json", json.dumps(evaluation.record(), indent=1, ensure_ascii=False) + "\n")
        write_text(folder / "evaluation.html", page(evaluation, svg(figure), evaluator.sheets))
    except OSError as error:
        raise TrainingError(
            f"Cannot write to {folder} ({error.strerror}); choose another folder with --out."
        ) from error
    write_png(folder / "curves.png", figure)


def main(argv: list[str] | None = None) -> int:
    arguments = argument_parser().parse_args(argv)
    parse_options(arguments)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    device = torch.device("cuda" if arguments.device != "cpu" and torch.cuda.is_available() else "cpu")
    if arguments.device == "cuda" and device.type != "cuda":
        raise TrainingError("--device is cuda, but torch sees no CUDA device; use --device cpu.")
    given = arguments.weights if arguments.weights is not None else [DEFAULT_FOLDER] if DEFAULT_FOLDER.is_dir() else []
    extractors = load_extractors(given, arguments.trust)
    generators, loaded = load_generators(arguments.checkpoints, device)
    clip = load_shared_clip(loaded, arguments.clip, arguments.cache_folder)
    evaluation, evaluator = measure(arguments, generators, clip, extractors, device)
    folder = arguments.out or run_folder(arguments.checkpoints[0]) / "evaluation"
    write(folder, evaluation, evaluator)
    print_lines(report(evaluation))
    print_lines(f"\nwritten: {folder / 'evaluation.html'}, curves.png, evaluation.json", file=sys.stderr)
    return 0


if __name__ == "__main__":
    run_main(main)
