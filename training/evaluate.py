"""Measure how well generators follow sound that they were not trained on, with a floor and a ceiling.

    python -m training.evaluate RUN [RUN ...] [--labels NAME,NAME] [--clip FILE] [--weights FILE ...] [--out FOLDER]
    python -m training.evaluate RUN --foreign FOLDER --pieces 500 --seconds 1-5

Generates the held-out part of the clip at several sequence lengths; longer sequences use the trained part, looped. Prints tables and
writes a page, curves and their values. --foreign adds sound from outside the clip. Without weight files, only pixel figures and
synchrony are measured; fetch small ones with python -m training.evaluation.metrics.fetch_weights. docs/evaluation.md explains each
figure.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from tqdm import tqdm

from engine.core.errors import TrainingError, run_main
from engine.core.printable import print_lines
from training.data.video import ClipFormat
from training.data.windows import Segment
from training.evaluation.clips import EvaluatedClips, choose_clips, load_shared_clips
from training.evaluation.command_line import argument_parser, parse_labels, parse_options, parse_pieces
from training.evaluation.evaluator import EvaluatedGenerator, EvaluationOptions, Evaluator, mean_bytes
from training.evaluation.files import make_folder, write_files
from training.evaluation.frame_metrics import FrameMetrics
from training.evaluation.generators import load_generators, run_folder
from training.evaluation.held_out_synchrony import synchrony_rows
from training.evaluation.metrics.extractors import Extractors, load_extractors
from training.evaluation.metrics.fetch_weights import weights_of
from training.evaluation.outside_sound import OutsideFigures, OutsideSound, outside_frames
from training.evaluation.pieces import ChosenPieces, PieceOptions, choose_pieces, find_files, skipped_notices
from training.evaluation.results import Evaluation, Row
from training.evaluation.text import report
from training.loop.checkpoint import current_commit

NO_PIECES = ChosenPieces((), 0, ())


@dataclass(frozen=True, slots=True)
class Task:
    """What is measured with what."""

    generators: Sequence[EvaluatedGenerator]
    clips: EvaluatedClips
    extractors: Extractors
    options: EvaluationOptions
    outside: PieceOptions | None
    chosen: ChosenPieces
    device: torch.device


def measure(task: Task) -> tuple[Evaluation, Evaluator]:
    """Generate and measure everything; the evaluator is that of the first clip.

    Raises TrainingError when no piece of sound from outside can be read any more.
    """
    options, clips, chosen = task.options, task.clips.clips, task.chosen
    each = dataclasses.replace(options, sequences=-(-options.sequences // len(clips)))
    with tqdm(desc="evaluating", unit="frame", mininterval=0.5, dynamic_ncols=True) as bar:
        metrics = FrameMetrics(task.extractors, task.device, bar.update)
        evaluators = [Evaluator(clip, task.generators, metrics, each) for clip in clips]
        bar.total = _frames(task, evaluators)
        outside: dict[str, OutsideFigures] = {}
        if chosen.pieces:
            sound = OutsideSound([evaluator.real for evaluator in evaluators], metrics, options.seed)
            mean_HWC = mean_bytes([Segment(evaluator.clip, evaluator.trained) for evaluator in evaluators])
            outside = {g.name: sound.figures(g.model, chosen.pieces, mean_HWC) for g in task.generators}
        measured = [evaluator.rows() for evaluator in evaluators]
    lost = dict.fromkeys(reason for found in outside.values() for reason in found.skipped)
    return Evaluation(
        about=_about(task, evaluators),
        rows=[Row.pooled(rows) for rows in zip(*measured, strict=True)],
        outside={name: found.rows for name, found in outside.items()},
        pieces={name: found.pieces for name, found in outside.items()},
        missing=task.extractors.missing(),
        synchrony=synchrony_rows([evaluator.synchrony for evaluator in evaluators]),
        notices=[*task.clips.notices, *chosen.notices, *skipped_notices(list(lost))],
    ), evaluators[0]


def _frames(task: Task, evaluators: Sequence[Evaluator]) -> int:
    """Return about how often a frame is generated or measured, for the progress bar."""
    generated, real = outside_frames(task.chosen.pieces)
    generated = sum(evaluator.frames() for evaluator in evaluators) + 2 * len(task.generators) * generated
    real += sum(evaluator.real_frames() for evaluator in evaluators)
    # A frame of a clip is measured once at most. The mean frame counts as well.
    real = min(real, sum(len(evaluator.clip.frames_NHWC) for evaluator in evaluators))
    return generated + real + 2 * len(evaluators) * len(task.generators)


def _pieces(outside: PieceOptions | None, clip_format: ClipFormat) -> ChosenPieces:
    """Choose the pieces before anything is generated: a folder without usable sound is told at once."""
    if outside is None:
        return NO_PIECES
    with tqdm(desc="choosing pieces", unit="piece", total=outside.pieces, leave=False, dynamic_ncols=True) as bar:
        return choose_pieces(outside, clip_format, bar.update)


def _about(task: Task, evaluators: Sequence[Evaluator]) -> dict[str, object]:
    options, clips, outside, chosen = task.options, task.clips.clips, task.outside, task.chosen
    about: dict[str, object] = {
        "names": [generator.name for generator in task.generators],
        "checkpoints": [generator.path for generator in task.generators],
        "clip": ", ".join(clip.file for clip in clips),
        "frames": sum(len(clip.frames_NHWC) for clip in clips),
        "held_out_frames": sum(evaluator.held_out.count for evaluator in evaluators),
        "fps": clips[0].format.fps,
        "image_size": clips[0].format.image_size,
        "commit": current_commit(),
        "lengths": list(options.lengths),
        "sequences": options.sequences,
        "shifts": options.shifts,
        "seed": options.seed,
        "weights": task.extractors.files,
    }
    if outside is not None:
        about["foreign"] = {
            "folder": str(outside.folder),
            "pieces": len(chosen.pieces),
            "files": chosen.files,
            "seconds": [outside.shortest_s, outside.longest_s],
        }
    return about


def main(argv: list[str] | None = None) -> int:
    arguments = argument_parser(__doc__).parse_args(argv)
    options, labels, outside = parse_options(arguments), parse_labels(arguments), parse_pieces(arguments)
    if outside is not None:
        find_files(outside.folder)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    device = torch.device("cuda" if arguments.device != "cpu" and torch.cuda.is_available() else "cpu")
    if arguments.device == "cuda" and device.type != "cuda":
        raise TrainingError("--device is cuda, but torch sees no CUDA device; use --device cpu.")
    given = weights_of(arguments.weights)
    extractors = load_extractors(given, arguments.trust)
    generators, loaded = load_generators(arguments.checkpoints, device, labels)
    found = load_shared_clips([generator.config for generator in loaded], arguments.clip, arguments.cache_folder)
    longest = max(generator.sequence_frames for generator in generators)
    clips = choose_clips(found, longest, min(options.lengths), options.sequences)
    folder = arguments.out or run_folder(arguments.checkpoints[0]) / "evaluation"
    chosen = _pieces(outside, clips.clips[0].format)
    make_folder(folder)
    evaluation, evaluator = measure(Task(generators, clips, extractors, options, outside, chosen, device))
    names = write_files(folder, evaluation, evaluator.sheets)
    print_lines(report(evaluation))
    print_lines(f"\nwritten: {folder / names[0]}, {', '.join(names[1:])}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    run_main(main)
