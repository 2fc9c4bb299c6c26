"""Measure how well films move with their sound, each measure with a floor and a ceiling.

    python -m training.synchrony GENERATED.mp4 --reference REAL.mp4
    python -m training.synchrony FOLDER --reference REAL_FOLDER --classifier media/sync.safetensors --json synchrony.json

Measured are the correlation of loudness with motion, AV-Align in its three published variants and, with a classifier (`python -m
training.evaluation.synchrony.train_classifier`), AVSync score, RelSync and sync accuracy, and AlignSync with a similarity of images and sounds. docs/synchrony.md defines them and says what they
can be trusted for.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tqdm import tqdm

from engine.core.argument_parser import ArgumentParser
from engine.core.atomic_files import write_text
from engine.core.errors import TrainingError, run_main
from engine.core.printable import print_lines
from training.data.video_files import video_files
from training.evaluation.figures_file import check_figures_file
from training.evaluation.synchrony.align_sync import load_similarity
from training.evaluation.synchrony.classifier_files import load_classifier
from training.evaluation.synchrony.film import check_fps
from training.evaluation.synchrony.suite import SuiteOptions, measure_films
from training.evaluation.synchrony.text import report, values

DEFAULTS = SuiteOptions()


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the flags. Raises ConfigError or TrainingError for wrong ones."""
    parser = ArgumentParser(
        prog="python -m training.synchrony", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("films", type=Path, nargs="+", metavar="VIDEO", help="films with sound, or folders of them")
    add(
        "--reference",
        type=Path,
        nargs="+",
        default=[],
        metavar="REAL",
        help="the real film: one for all, or one for each",
    )
    add("--classifier", type=Path, metavar="FILE", help="a trained classifier, or the original's folder of modules")
    add(
        "--similarity",
        metavar="MODULE:FUNCTION",
        help="how alike frames and a sound are, for AlignSync (docs/synchrony.md); with --classifier and --reference",
    )
    add("--fps", type=int, metavar="N", help="frames a second to measure at; default: each film's own")
    add("--scale", choices=("db", "linear"), default=DEFAULTS.scale, help="of loudness; default db")
    add("--shifts", type=int, default=DEFAULTS.shifts, metavar="N", help="of the sound, for the floor; default 40")
    add("--json", type=Path, metavar="FILE", help="also write all figures and curves to this file")
    flags = parser.parse_args(argv)
    check_fps(flags.fps)
    if not 2 <= flags.shifts <= 1000:
        raise TrainingError(f"--shifts is {flags.shifts}; 2 to 1000 was expected.")
    if flags.similarity and not (flags.classifier and flags.reference):
        raise TrainingError("--similarity is for AlignSync, which needs --classifier and --reference too.")
    flags.films, flags.reference = video_files(flags.films), video_files(flags.reference)
    if len(flags.reference) > 1 and len(flags.reference) != len(flags.films):
        raise TrainingError(
            f"--reference names {len(flags.reference)} films for {len(flags.films)}; one for all, or one for each in the same order, was expected."
        )
    if flags.json:
        check_figures_file(flags.json, filter(None, (*flags.films, *flags.reference, flags.classifier)))
    return flags


def main(argv: list[str] | None = None) -> int:
    """Measure, print the tables and write the figures."""
    flags = parse(argv)
    classifier = load_classifier(flags.classifier) if flags.classifier else None
    similarity = load_similarity(flags.similarity) if flags.similarity else None
    options = SuiteOptions(fps=flags.fps, scale=flags.scale, shifts=flags.shifts, similarity=similarity)
    total = len(flags.films) + len(flags.reference)
    with tqdm(desc="measuring", unit="film", total=total, leave=False, dynamic_ncols=True) as bar:
        measurement = measure_films(flags.films, flags.reference, classifier, options, bar.update)
    print_lines(report(measurement))
    if flags.json:
        try:
            write_text(flags.json, json.dumps(values(measurement), indent=1) + "\n")
        except OSError as error:
            raise TrainingError(f"Cannot write {flags.json}: {error.strerror}.") from error
    return 0


if __name__ == "__main__":
    run_main(main)
