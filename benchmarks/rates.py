"""What another rate than that of training changes, and what it costs.

    python -m benchmarks.rates CHECKPOINT [--fps 25 30 50 60] [--steps 200]

For each rate the checkpoint is exported and played by onnx-cpu. Levels of 255 are those of the export's own report: how far the
frames are from those of training at the moments that both have, how much a frame differs from the one before, and how far it lies
from the middle of its neighbours. Milliseconds are those of a step; a rate is held where they are less than a hop.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.record import append_record, print_table
from engine.core.clock import WallClock
from engine.core.errors import run_main
from engine.core.printable import print_line
from engine.model.backends.onnx_cpu import open_model
from engine.render.latency_budget import measure_steps_s
from export.targets.onnx.model import Form, export_model
from export.verification.rate import measure_rate_difference
from training.core.rate import at_rate
from training.loop.checkpoint import chosen_checkpoint, load_generator

RATES = (25, 30, 50, 60)
HEADINGS = ["steps a second", "same moment", "change", "jitter", "step p50 ms", "p95 ms", "hop ms", "MB"]


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure a model at other rates than that of training.")
    parser.add_argument("checkpoint", type=Path, help="checkpoint or run folder")
    parser.add_argument("--fps", type=int, nargs="+", default=RATES, help="rates beside that of training")
    parser.add_argument("--steps", type=int, default=200, help="steps that are timed for each rate (default 200)")
    parser.add_argument("--threads", type=int, default=2, help="threads of a step (default 2)")
    arguments = parser.parse_args()
    loaded = load_generator(chosen_checkpoint(arguments.checkpoint).folder)
    trained = loaded.model.fps
    rows: list[list[object]] = []
    for fps in (trained, *(fps for fps in arguments.fps if fps > trained)):
        changed = at_rate(loaded.model, fps)
        found = measure_rate_difference(loaded.model, changed)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            card = export_model(loaded.model, loaded.provenance, path, Form(fps=fps))
            megabytes = path.stat().st_size / 1e6
            steps_s = measure_steps_s(open_model(path, arguments.threads), WallClock(), arguments.steps)
        p50_ms, p95_ms = 1e3 * np.percentile(steps_s, [50, 95])
        same = "none" if found.same_moment is None else round(found.same_moment, 2)
        measured = [same, round(found.change, 2), round(found.jitter, 2), p50_ms, p95_ms, 1e3 * card.hop_s, megabytes]
        rows.append([fps, *measured])
    print_line(f"{loaded.model.name}, trained at {trained} steps a second, {arguments.threads} threads")
    print_table(HEADINGS, rows)
    append_record("rates", {"trained": trained, "headings": HEADINGS, "rows": rows}, model=loaded.model.name)
    return 0


if __name__ == "__main__":
    run_main(main)
