"""Memory growth over a long show: steps without pause, with samples of the resident memory.

    python -m benchmarks.endurance MODEL.onnx --steps 100000

100,000 steps are 83 minutes of show at 20 fps. The first tenth does not count: pools fill up.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import psutil

from benchmarks.record import append_record, print_table
from engine.audio.sources.demo import demo_sound
from engine.core.clock import WallClock
from engine.core.errors import run_main
from engine.model.backends.selection import AUTO, backend_names, open_backend
from engine.model.session import Session

SAMPLES = 100
WARM_UP_SAMPLES = 10
MIB = 2**20


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure how memory grows over many steps of a model file.")
    parser.add_argument("model", help="model file")
    parser.add_argument("--backend", default=AUTO, choices=backend_names())
    parser.add_argument("--steps", type=int, default=100_000, help="steps to take (default 100000)")
    parser.add_argument("--threads", type=int, default=1, help="processor threads (default 1)")
    arguments = parser.parse_args()
    session = Session(open_backend(arguments.model, arguments.backend, arguments.threads))
    figures = measure(session, arguments.steps)
    headings = [
        "backend",
        "model",
        "steps",
        "minutes",
        "start MiB",
        "end MiB",
        "growth MiB",
        "bytes per step",
        "peak MiB",
    ]
    keys = ("steps", "minutes", "start_mib", "end_mib", "growth_mib", "bytes_a_step", "peak_mib")
    print_table(headings, [[session.backend.description, session.card.name, *(figures[key] for key in keys)]])
    append_record("endurance", figures, backend=session.backend.name, model=session.card.name)
    return 0


def measure(session: Session, steps: int) -> dict[str, Any]:
    """Step through the demo sound in a loop; return resident memory at the start, at the end, and its slope."""
    clock, card, process = WallClock(), session.card, psutil.Process()
    sound_T = demo_sound().mean(axis=1)
    loop_samples = len(sound_T) - card.window_samples
    every = max(1, steps // SAMPLES)
    taken: list[int] = []
    resident_bytes: list[int] = []
    started_s = clock.now_s()
    for index in range(steps):
        begin = index * card.hop_samples % loop_samples
        session.step(sound_T[begin : begin + card.window_samples], {}, index)
        if index % every == every - 1:
            taken.append(index + 1)
            resident_bytes.append(process.memory_info().rss)
    counted = slice(min(WARM_UP_SAMPLES, len(taken) - 2), None)
    slope = np.polyfit(taken[counted], resident_bytes[counted], 1)[0]
    first, last = resident_bytes[counted][0], resident_bytes[-1]
    return {
        "steps": steps,
        "minutes": (clock.now_s() - started_s) / 60.0,
        "start_mib": first / MIB,
        "end_mib": last / MIB,
        "growth_mib": (last - first) / MIB,
        "bytes_a_step": float(slope),
        "peak_mib": max(resident_bytes) / MIB,
    }


if __name__ == "__main__":
    run_main(main)
