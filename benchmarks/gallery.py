"""The gallery: what a model looks like, what its controls do and what it costs, for docs/gallery.md.

    python -m benchmarks.gallery MODEL --clip CLIP.mp4 [--sound HELD_OUT.wav] [-o FOLDER]
    python -m benchmarks.gallery --measure
    python -m benchmarks.gallery --page

MODEL is a file, or the name of a shipped one. CLIP shows what a perfect model would: a scene that the same sound moved
(training.data.scenes.make_scene NAME --sound HELD_OUT.wav), or footage with its own sound, which is played where --sound is not
given. The engine renders the sound; FOLDER gets

    sheet.jpg        moments of the clip above, of the model below
    film.mp4         the first seconds of the model, small, with sound
    controls.jpg     a row for each control of the model, from its lowest to its highest value, at the loudest moment
    figures.json     how near the model comes to the clip (docs/evaluation.md), size of the file and milliseconds a step, with the machine

Without -o it is docs/pictures/gallery/NAME, and for a shipped model docs/gallery.md is written again; --page does that alone.
--measure measures the steps of all shipped models that have sheets again, on a quiet machine: the page tells no milliseconds of a
busy one.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import step
from benchmarks.gallery_film import even_moments, frames_at, length_s, write_small_film
from benchmarks.gallery_page import (
    CONTROLS,
    FIGURES,
    FILM,
    GALLERY,
    PAGE,
    QUALITY,
    SHEET,
    Entry,
    figures_text,
    gallery_page,
    shipped_entries,
)
from benchmarks.gallery_quality import measured_quality
from benchmarks.gallery_rendering import ModelFilms
from benchmarks.gallery_sheets import SweptControl, controls_sheet, moments_sheet, write_sheet
from benchmarks.record import append_record, commit, print_table
from engine.app.bare_arguments import flag
from engine.core.argument_parser import ArgumentParser
from engine.core.atomic_files import write_text
from engine.core.clock import WallClock
from engine.core.errors import ConfigError, run_main
from engine.core.machine import describe_machine, load_1min
from engine.model.backends.selection import open_backend, read_card
from engine.model.card import ControlSpec
from engine.model.session import Session
from engine.model.shipped import model_path, shipped_models
from training.data.scenes.soundtrack import RATE_HZ, read_sound
from training.evaluation.metrics.fetch_weights import DEFAULT_FOLDER, weights_of

SWEPT_VALUES = 5
SHEET_COLUMNS = {True: 4, False: 6}
"""By whether a frame is wider than high."""
SWEEP_FROM_S, SWEEP_TO_S = 1.5, 8.0
"""The loudest moment is sought here: later ones take long to get to."""
STEPS = 200


def argument_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = ArgumentParser(
        prog="python -m benchmarks.gallery", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", nargs="?", metavar="MODEL", help="a model file, or the name of a shipped model")
    parser.add_argument("--clip", type=Path, metavar="CLIP.mp4", help="what a perfect model would show")
    parser.add_argument("--sound", type=Path, metavar="SOUND", help="sound to play (default: that of the clip)")
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="default: docs/pictures/gallery/NAME")
    parser.add_argument(
        "--weights", type=Path, nargs="+", metavar="PATH", help=f"files, folders; default {DEFAULT_FOLDER}"
    )
    parser.add_argument(
        "--measure", action="store_true", help="measure the steps of the shipped models again, and no more"
    )
    parser.add_argument("--page", action="store_true", help="write docs/gallery.md from what is there, and no more")
    return parser


def main() -> int:
    arguments = argument_parser().parse_args()
    if arguments.measure:
        measured = [measure_again(entry) for entry in shipped_entries() if entry.figures]
    elif arguments.page:
        measured = []
    elif arguments.model and arguments.clip:
        path = Path(model_path(arguments.model))
        sound = arguments.sound or arguments.clip
        measured = [make_entry(path, arguments.clip, sound, arguments.output, weights_of(arguments.weights))]
    else:
        raise ConfigError(
            "A model and --clip were expected, such as: python -m benchmarks.gallery water --clip truth.mp4"
        )
    for figures in measured:
        append_record("gallery", figures, model=figures["name"])
    rows = [
        [figures["name"], one["threads"], one["backend"], one["p50_ms"], one["p95_ms"]]
        for figures in measured
        for one in figures["steps"]
    ]
    if rows:
        print_table(["model", "threads", "backend", "p50 ms", "p95 ms"], rows)
    if arguments.output is None:
        write_text(PAGE, gallery_page(shipped_entries()))
        print(f"wrote {PAGE}")
    return 0


def make_entry(
    path: Path, clip: Path, sound: Path, folder: Path | None, weights: Sequence[Path] = (), steps: int = STEPS
) -> dict[str, Any]:
    """Write the sheets, the film and the figures of one model, and return the figures. Raises UserError."""
    card, films, sound_T = read_card(path), ModelFilms(path), read_sound(sound)
    folder = folder or GALLERY / path.stem
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as beside:
        film = Path(beside) / "film.mp4"
        films.render(sound, film)
        shown_s = min(length_s(film), length_s(clip), len(sound_T) / RATE_HZ)
        times_s = even_moments(shown_s, SHEET_COLUMNS[card.width > card.height])
        rows = [("clip", frames_at(clip, times_s)), ("model", frames_at(film, times_s))]
        write_sheet(folder / SHEET, moments_sheet(rows, times_s))
        write_small_film(film, sound_T, card.fps, folder / FILM)
        at_s = loudest_s(sound_T, shown_s)
        swept = [_swept(films, control, sound, at_s, Path(beside)) for control in card.controls]
    films.end()
    if swept:
        write_sheet(folder / CONTROLS, controls_sheet(swept))
    figures = {
        "name": path.stem,
        "sound": sound.name,
        "sheet_s": [round(time_s, 2) for time_s in times_s],
        "controls_s": round(at_s, 2),
        QUALITY: measured_quality(path, clip, weights),
        **measured_steps(path, steps),
    }
    write_text(folder / FIGURES, figures_text(figures))
    return figures


def measure_again(entry: Entry, steps: int = STEPS) -> dict[str, Any]:
    """Measure the steps of a shipped model, write its figures again and return them. Raises UserError."""
    figures = {**(entry.figures or {}), **measured_steps(shipped_models()[entry.name], steps)}
    write_text(GALLERY / entry.name / FIGURES, figures_text(figures))
    return figures


def measured_steps(path: Path, steps: int) -> dict[str, Any]:
    """Return the size of a model file, and how long its steps take on one thread and two, with the machine."""
    return {
        "file_bytes": path.stat().st_size,
        "steps": [_step_figures(path, threads, steps) for threads in (1, 2)],
        "at": WallClock.date(),
        "commit": commit(),
        "machine": {**describe_machine(), "load_1min": load_1min()},
    }


def loudest_s(sound_T: NDArray[np.float32], shown_s: float) -> float:
    """Return the end of the loudest 0.2 s of the sound's beginning, in seconds."""
    part = RATE_HZ // 5
    count = int(min(shown_s, SWEEP_TO_S) * RATE_HZ) // part
    if not count:
        return shown_s
    power_N = np.square(sound_T[: count * part]).reshape(count, part).mean(axis=1)
    first = min(int(SWEEP_FROM_S * RATE_HZ / part), count - 1)
    return (first + int(power_N[first:].argmax()) + 1) * part / RATE_HZ


def _swept(films: ModelFilms, control: ControlSpec, sound: Path, at_s: float, folder: Path) -> SweptControl:
    values = [float(value) for value in np.linspace(control.low, control.high, SWEPT_VALUES)]
    film, frames = folder / "swept.mp4", list[NDArray[np.uint8]]()
    for value in values:
        film.unlink(missing_ok=True)
        films.render(sound, film, [flag(control.name), f"{value:.6g}", "--seconds", f"{at_s + 0.2:.6g}"])
        frames += frames_at(film, [at_s])
    return SweptControl(control.name, control.default, values, frames)


def _step_figures(path: Path, threads: int, steps: int) -> dict[str, Any]:
    backend = open_backend(path, threads=threads)
    measured = step.measure(Session(backend), steps, paced=False)
    return {
        "threads": threads,
        "backend": backend.description,
        "p50_ms": measured["p50_ms"],
        "p95_ms": measured["p95_ms"],
    }


if __name__ == "__main__":
    run_main(main)
