"""Train a synchrony classifier on films whose sound and frames belong together.

    python -m training.evaluation.synchrony.train_classifier media/m3so/train -o media/sync.safetensors --minutes 3
    python -m training.evaluation.synchrony.train_classifier MY_CLIP.mp4 -o media/my_sync.safetensors

A folder stands for the films in it. The last fifth of one film, or every fifth of several, is kept to test with. `python -m
training.synchrony VIDEO --classifier FILE` uses the file; docs/synchrony.md explains it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from tqdm import tqdm

from engine.core.argument_parser import ArgumentParser
from engine.core.atomic_files import check_writable
from engine.core.clock import Clock, WallClock
from engine.core.errors import TrainingError, run_main
from engine.core.printable import print_line
from training.data.video_files import video_files
from training.evaluation.synchrony.classifier import (
    ClassifierConfig,
    SmallClassifier,
    sample_rate_for,
)
from training.evaluation.synchrony.classifier_files import save_classifier
from training.evaluation.synchrony.classifier_training import accuracy, read_films, train
from training.evaluation.synchrony.film import check_fps

LONGEST_MINUTES = 24 * 60.0
LONGEST_WINDOW_S = 60.0


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the flags. Raises ConfigError or TrainingError for wrong ones."""
    parser = ArgumentParser(
        prog="python -m training.evaluation.synchrony.train_classifier",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add, defaults = parser.add_argument, ClassifierConfig()
    add("films", type=Path, nargs="+", metavar="CLIP", help="films, or folders of them")
    add("-o", "--output", type=Path, required=True, metavar="FILE", help="the classifier, .safetensors")
    add("--minutes", type=float, default=3.0, metavar="N", help="of training; default 3")
    add(
        "--iterations",
        type=int,
        metavar="N",
        help="so many instead of --minutes: the same films and seed give the same weights",
    )
    add("--fps", type=int, default=defaults.fps, metavar="N", help="frames a second that it takes; default 20")
    add("--side", type=int, default=defaults.side, metavar="PX", help="rows and columns that it takes; default 32")
    add("--window", type=float, default=1.6, metavar="S", help="length of a stretch; default 1.6 s")
    add("--seed", type=int, default=0, metavar="N", help="of weights and batches; default 0")
    flags = parser.parse_args(argv)
    if not 0.0 < flags.minutes <= LONGEST_MINUTES:
        raise TrainingError(
            f"--minutes is {flags.minutes:g}; more than 0 and at most {LONGEST_MINUTES:g} was expected."
        )
    if flags.iterations is not None and flags.iterations < 1:
        raise TrainingError(f"--iterations is {flags.iterations}; 1 or more was expected.")
    check_fps(flags.fps)
    # Checked before it is rounded to frames, which nan and inf cannot be.
    if not 0.0 < flags.window <= LONGEST_WINDOW_S:
        raise TrainingError(
            f"--window is {flags.window:g}; more than 0 and at most {LONGEST_WINDOW_S:g} s was expected, such as 1.6."
        )
    if flags.output.suffix != ".safetensors":
        raise TrainingError(f"-o is {flags.output}; a file that ends in .safetensors was expected.")
    try:
        check_writable(flags.output)
    except OSError as error:
        raise TrainingError(f"Cannot write {flags.output}: {error.strerror}; choose another file with -o.") from error
    return flags


def share_done(minutes: float, iterations: int | None, clock: Clock) -> Callable[[int], float]:
    """Return what tells how much of the training is done after so many iterations."""
    started_s = clock.now_s()
    if iterations is not None:
        return lambda done: done / iterations
    return lambda _: (clock.now_s() - started_s) / (60.0 * minutes)


def main(argv: list[str] | None = None) -> int:
    """Train, test on what was held out, and write the file."""
    flags = parse(argv)
    config = ClassifierConfig(
        fps=flags.fps,
        sample_rate_hz=sample_rate_for(flags.fps),
        side=flags.side,
        window_frames=round(flags.window * flags.fps),
    )
    torch.manual_seed(flags.seed)
    classifier = SmallClassifier(config)
    paths = video_files(flags.films)
    with tqdm(desc="reading films", unit="film", total=len(paths), leave=False, dynamic_ncols=True) as bar:
        films = read_films(paths, classifier, bar.update)
    for sentence in films.left_out:
        print_line(f"notice: {sentence}", file=sys.stderr)
    losses = list[float]()
    is_over = share_done(flags.minutes, flags.iterations, WallClock())
    with tqdm(desc="training", unit="it", total=flags.iterations, mininterval=0.5, dynamic_ncols=True) as bar:
        for loss in train(classifier, films.trained, flags.seed, is_over):
            losses.append(loss)
            bar.update()
            bar.set_postfix(loss=f"{loss:.2f}", refresh=False)
    tested = accuracy(classifier, films.held_out)
    about = {
        "films": len(paths),
        "iterations": len(losses),
        "loss": losses[-1] if losses else None,
        "held_out_accuracy": tested.within_one_frame,
        "held_out_stretches": tested.stretches,
        "seed": flags.seed,
    }
    save_classifier(flags.output, classifier, about)
    print_line(
        f"{flags.output}: {sum(each.numel() for each in classifier.parameters()):,} weights, {len(losses)} iterations on {len(films.trained)} films",
        f"held out: the right sound to within a frame for {100 * tested.within_one_frame:.0f} % of {tested.stretches} stretches; "
        f"{100 * tested.floor:.0f} % by chance",
    )
    return 0


if __name__ == "__main__":
    run_main(main)
