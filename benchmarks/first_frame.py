"""Time from the command to the first frame.

    python -m benchmarks.first_frame [MODEL.onnx]

Times whole processes: `run_live.py` plays one hop of the demo sound to the output `null` and ends. The end of the process is
included, so the figure is an upper bound.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.record import append_record, print_table
from engine.app.config import DEFAULT_MODEL
from engine.core.clock import WallClock
from engine.core.errors import run_main
from engine.model.file import read_card

RUN_LIVE = Path(__file__).parent.parent / "run_live.py"


def main() -> int:
    parser = argparse.ArgumentParser(description="Time a show from its command to its first frame.")
    parser.add_argument("model", nargs="?", default=DEFAULT_MODEL, help="model file (.onnx), default the shipped one")
    parser.add_argument(
        "--runs", type=int, default=7, help="counted runs after one that warms the disk cache (default 7)"
    )
    arguments = parser.parse_args()
    card = read_card(arguments.model)
    command = [
        sys.executable,
        str(RUN_LIVE),
        "--model",
        arguments.model,
        "--source",
        "demo",
        "--out",
        "null",
        "--no-osc",
    ]
    command += ["--seconds", f"{card.hop_s}"]
    taken_s = [run_once(command) for _ in range(arguments.runs + 1)][1:]
    median_s, longest_s = statistics.median(taken_s), max(taken_s)
    print_table(["model", "runs", "median s", "max s"], [[card.name, len(taken_s), median_s, longest_s]])
    append_record("first_frame", {"runs": len(taken_s), "median_s": median_s, "max_s": longest_s}, model=card.name)
    return 0


def run_once(command: list[str]) -> float:
    """Run the show and return its seconds."""
    clock = WallClock()
    started_s = clock.now_s()
    subprocess.run(command, check=True, capture_output=True)
    return clock.now_s() - started_s


if __name__ == "__main__":
    run_main(main)
