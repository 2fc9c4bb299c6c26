"""Measure how well a video moves with its sound.

    python -m training.evaluate_synchrony GENERATED.mp4 [--ceiling TRUE.mp4] [--json FILE]

Prints the correlation of loudness and motion, and its floor: the same with shifted sound. --ceiling measures the true scene with
the same sound: the best a model can reach. What says nothing, such as silence, is undefined. python -m training.synchrony has this measure beside others.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

from engine.core.argument_parser import ArgumentParser
from engine.core.atomic_files import write_text
from engine.core.errors import TrainingError, run_main
from engine.core.printable import print_line, print_lines
from training.evaluation.figures_file import check_figures_file
from training.evaluation.metrics.synchrony import Synchrony
from training.evaluation.synchrony.film import check_fps, read_film
from training.evaluation.synchrony.peak_figures import film_synchrony, loudness_notices


def table(rows: Mapping[str, Synchrony | None]) -> str:
    """Return the measurements as a text table; None is undefined."""
    lines = [f"{'':32} {'correlation':>11} {'lag':>4} {'floor':>14} {'above':>6} {'frames':>7}"]
    for name, found in rows.items():
        if found is None:
            lines.append(f"{name[:32]:32} {'undefined':>11}")
            continue
        floor = f"{found.floor_mean:.2f} ± {found.floor_deviation:.2f}"
        lines.append(
            f"{name[:32]:32} {found.correlation:11.3f} {found.lag_frames:4d} {floor:>14} {found.above_floor:5.1f}σ {found.frames:7d}"
        )
    return "\n".join(lines)


def _record(found: Synchrony | None) -> dict[str, object]:
    return {"correlation": None} if found is None else {"above_floor": found.above_floor, **dataclasses.asdict(found)}


def main(argv: list[str] | None = None) -> int:
    parser = ArgumentParser(
        prog="python -m training.evaluate_synchrony",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("video", type=Path, metavar="GENERATED.mp4")
    parser.add_argument("--ceiling", type=Path, metavar="TRUE.mp4", help="the true scene with the same sound")
    parser.add_argument("--fps", type=int, metavar="N", help="frames a second to measure; default: the file's own rate")
    parser.add_argument("--scale", choices=("db", "linear"), default="db", help="scale of loudness; default db")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers to this file")
    arguments = parser.parse_args(argv)
    check_fps(arguments.fps)
    files = {"video": arguments.video} | ({"ceiling": arguments.ceiling} if arguments.ceiling else {})
    if arguments.json:
        check_figures_file(arguments.json, files.values())
    films = {role: read_film(file, arguments.fps, with_flow=False) for role, file in files.items()}
    found = {role: film_synchrony(film, arguments.scale) for role, film in films.items()}
    print_lines(table({f"{role} {files[role].name}": measured for role, measured in found.items()}))
    for film in films.values():
        print_line(*film.notices, *loudness_notices(film, arguments.scale))
    if arguments.json:
        record = {role: {"file": str(files[role]), **_record(measured)} for role, measured in found.items()}
        try:
            write_text(arguments.json, json.dumps(record, indent=1) + "\n")
        except OSError as error:
            raise TrainingError(f"Cannot write {arguments.json}: {error.strerror}.") from error
    return 0


if __name__ == "__main__":
    run_main(main)
