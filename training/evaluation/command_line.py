"""The command line of `python -m training.evaluate`, and the options it asks for."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from engine.core.argument_parser import ArgumentParser
from engine.core.errors import TrainingError
from training.evaluation.evaluator import EvaluationOptions
from training.evaluation.metrics.fetch_weights import DEFAULT_FOLDER
from training.evaluation.pieces import USUAL_PIECES, PieceOptions

SHORTEST_LENGTH, LONGEST_LENGTH = 8, 16384
"""Frames of a sequence; the frames of one are held in memory."""
SHORTEST_PIECE_S, LONGEST_PIECE_S = 0.2, 60.0
LARGEST_SEED = 2**32 - 1
DEFAULTS = EvaluationOptions()


def argument_parser(about: str | None) -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = ArgumentParser(
        prog="python -m training.evaluate", description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("checkpoints", type=Path, nargs="+", metavar="RUN", help="run folders or checkpoints to compare")
    add(
        "--labels", metavar="NAME,NAME,...", help="their names in tables and curves; default: run folder and iterations"
    )
    add(
        "--clip",
        type=Path,
        metavar="FILE",
        help="video file, folder of them, or folder in the layout of Sub-URMP; default: the clips of the run",
    )
    lengths = ",".join(map(str, DEFAULTS.lengths))
    add("--lengths", metavar="N,N,...", help=f"sequence lengths in frames; default {lengths}")
    add(
        "--sequences",
        type=int,
        default=DEFAULTS.sequences,
        metavar="N",
        help="most sequences per length, and most clips; default 4",
    )
    add("--shifts", type=int, default=DEFAULTS.shifts, metavar="N", help="shifts of the shuffled sound; default 4")
    add(
        "--weights",
        type=Path,
        nargs="+",
        metavar="PATH",
        help=f"weight files or folders; default {DEFAULT_FOLDER} if present",
    )
    add("--trust", metavar="SHA256", help="allow the TorchScript weight file with this SHA-256 (an I3D, for FVD)")
    add(
        "--foreign",
        type=Path,
        metavar="FOLDER",
        help="folder, with sub-folders, of sound or video files from outside the clip",
    )
    add(
        "--pieces",
        type=int,
        metavar="N",
        help=f"pieces of these files; default: one of each file, up to {USUAL_PIECES}",
    )
    add("--seconds", metavar="N-N", help="shortest and longest piece; default 1-5")
    add("--seed", type=int, default=DEFAULTS.seed, metavar="N", help="seed of the noise and the pieces; default 20")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto")
    add("--threads", type=int, default=0, metavar="N", help="CPU threads; default: torch's own choice")
    add("--out", type=Path, metavar="FOLDER", help="default RUN/evaluation")
    add("--cache-folder", type=Path, metavar="FOLDER", help="cache of decoded clips; default ~/.cache/fluid/clips")
    return parser


def parse_options(arguments: argparse.Namespace) -> EvaluationOptions:
    """Return the options of the evaluation. Raises TrainingError for wrong lengths, counts and seeds."""
    for name in ("sequences", "shifts"):
        _at_least(name, getattr(arguments, name), 1)
    _at_least("threads", arguments.threads, 0)
    if not 0 <= arguments.seed <= LARGEST_SEED:
        raise TrainingError(f"--seed is {arguments.seed}; 0 to {LARGEST_SEED} was expected.")
    return EvaluationOptions(
        lengths=_lengths(arguments.lengths),
        sequences=arguments.sequences,
        shifts=arguments.shifts,
        seed=arguments.seed,
    )


def parse_labels(arguments: argparse.Namespace) -> list[str]:
    """Return the names of the checkpoints; an empty list leaves the default.

    Raises TrainingError for another number of names than of checkpoints, and for names that are empty or alike.
    """
    if arguments.labels is None:
        return []
    labels = [name.strip() for name in arguments.labels.split(",")]
    if len(labels) != len(arguments.checkpoints):
        raise TrainingError(
            f"--labels has {_counted(len(labels), 'name')} for {_counted(len(arguments.checkpoints), 'checkpoint')}; one name for each, "
            "separated by commas, was expected."
        )
    if not all(labels) or len(set(labels)) < len(labels):
        raise TrainingError(f"--labels is {arguments.labels!r}; a different name for each checkpoint was expected.")
    return labels


def parse_pieces(arguments: argparse.Namespace) -> PieceOptions | None:
    """Return what to measure with sound from outside, or None without --foreign. Raises TrainingError for wrong numbers."""
    if arguments.foreign is None:
        for name in ("pieces", "seconds"):
            if getattr(arguments, name) is not None:
                raise TrainingError(
                    f"--{name} is given without --foreign; give the folder of the sounds with --foreign FOLDER."
                )
        return None
    if arguments.pieces is not None:
        _at_least("pieces", arguments.pieces, 1)
    found = PieceOptions(folder=arguments.foreign, pieces=arguments.pieces, seed=arguments.seed)
    if arguments.seconds is None:
        return found
    shortest_s, longest_s = _seconds(arguments.seconds)
    return PieceOptions(
        folder=found.folder, pieces=found.pieces, seed=found.seed, shortest_s=shortest_s, longest_s=longest_s
    )


def _lengths(text: str | None) -> tuple[int, ...]:
    try:
        lengths = tuple(sorted({int(word) for word in text.split(",")})) if text is not None else DEFAULTS.lengths
    except ValueError:
        raise TrainingError(
            f"--lengths is {text!r}; numbers of frames separated by commas were expected, such as 16,32,64."
        ) from None
    if lengths[0] < SHORTEST_LENGTH:
        raise TrainingError(f"--lengths holds {lengths[0]}; {SHORTEST_LENGTH} frames or more were expected.")
    if lengths[-1] > LONGEST_LENGTH:
        raise TrainingError(f"--lengths holds {lengths[-1]}; {LONGEST_LENGTH} frames or fewer were expected.")
    return lengths


def _seconds(text: str) -> tuple[float, float]:
    shortest, dash, longest = text.partition("-")
    try:
        found = float(shortest), float(longest if dash else shortest)
    except ValueError:
        found = math.nan, math.nan
    if not SHORTEST_PIECE_S <= found[0] <= found[1] <= LONGEST_PIECE_S:
        raise TrainingError(
            f"--seconds is {text!r}; shortest and longest piece from {SHORTEST_PIECE_S:g} to {LONGEST_PIECE_S:g} were expected, such as 1-5."
        )
    return found


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise TrainingError(f"--{name} is {value}; {least} or more was expected.")


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
