"""Does `python -m training.teach` keep the minutes it was given, alone and beside other work?

    python -m benchmarks.teach_minutes CLIP.mp4 [--minutes 2 5] [--busy 0 4 8]

For each number of busy processes and each number of minutes it trains a run of its own on the clip and prints how long the
command took, the predicted and the made iterations, and which tables there was time for. The busy processes count in a loop.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.record import append_record, print_table
from engine.core.clock import WallClock
from engine.core.errors import run_main
from training.logging.records import read_records
from training.loop.run_folder import EVALUATION_FOLDER, STATS_FILE

WITHIN = 0.1
PREDICTED = re.compile(r"about ([\d,]+) iterations, and")


@contextlib.contextmanager
def busy(processes: int) -> Iterator[None]:
    """Let so many processes work meanwhile."""
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def measure(clip: Path, minutes: float, processes: int) -> dict[str, object]:
    """Run the command once and return what it took."""
    clock = WallClock()
    with tempfile.TemporaryDirectory() as folder, busy(processes):
        run = Path(folder) / "run"
        command = [sys.executable, "-m", "training.teach", str(clip), "--minutes", f"{minutes:g}"]
        began_s = clock.now_s()
        said = subprocess.run([*command, "--run-folder", str(run)], capture_output=True, text=True, check=True).stdout
        took_s = clock.now_s() - began_s
        tables = run / EVALUATION_FOLDER / "evaluation.json"
        lengths = json.loads(tables.read_text(encoding="utf-8"))["about"]["lengths"] if tables.is_file() else []
        made = max(record["iteration"] for record in read_records(run / STATS_FILE))
    predicted = PREDICTED.search(said)
    return {
        "busy_processes": processes,
        "minutes": minutes,
        "took_s": round(took_s, 1),
        "kept": abs(took_s / (60.0 * minutes) - 1.0) <= WITHIN,
        "predicted_iterations": int(predicted[1].replace(",", "")) if predicted else None,
        "iterations": made,
        "evaluated_lengths": lengths,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path, metavar="CLIP.mp4")
    parser.add_argument("--minutes", type=float, nargs="+", default=[2.0, 5.0])
    parser.add_argument("--busy", type=int, nargs="+", default=[0, 4, 8], help="processes beside it")
    parser.add_argument("--no-record", action="store_true")
    flags = parser.parse_args()
    found = [measure(flags.clip, minutes, processes) for processes in flags.busy for minutes in flags.minutes]
    print_table([*found[0]], [list(row.values()) for row in found])
    if not flags.no_record:
        append_record("teach_minutes", {"clip": flags.clip.name, "runs": found})
    return 0


if __name__ == "__main__":
    run_main(main)
