"""How long one step takes.

    python -m benchmarks.step MODEL.onnx
    python -m benchmarks.step --reference CHECKOUT [--sound SOUND]      # beside the original implementation

For 1 and 2 threads: steps one after another (p50, p95, p99 and max in milliseconds), then steps at the model's own frame rate, as
in a show, with the share of one core that they use.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import cv2

from benchmarks.record import append_record, print_table
from engine.audio.sources.demo import demo_sound
from engine.core.clock import WallClock
from engine.core.errors import run_main
from engine.model.backends.selection import AUTO, backend_names, open_backend
from engine.model.session import Session
from engine.render.statistics import Durations

WARM_UP_STEPS = 10


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure one step of a model file.")
    parser.add_argument("model", nargs="?", help="model file")
    parser.add_argument("--reference", type=Path, metavar="CHECKOUT", help="compare with the original, in eager mode")
    parser.add_argument("--image-size", type=int, default=128, help="frame size of the comparison (default 128)")
    parser.add_argument("--sound", type=Path, help="sound of the comparison, also for the calibration of int8")
    parser.add_argument("--checkpoint", type=Path, metavar="RUN", help="trained weights for the comparison")
    parser.add_argument("--backend", default=AUTO, choices=backend_names())
    parser.add_argument("--steps", type=int, default=200, help="steps of each measurement (default 200)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="thread counts to try (default 1 2)")
    arguments = parser.parse_args()
    if arguments.reference:
        # torch is imported for the comparison alone.
        from benchmarks.beside_original import beside_original

        size, threads = arguments.image_size, max(arguments.threads)
        beside_original(arguments.reference, size, threads, arguments.steps, arguments.sound, arguments.checkpoint)
        return 0
    if not arguments.model:
        parser.error("give a model file, or --reference CHECKOUT")
    # As in a show, where OpenCV's own threads would take the cores of others.
    cv2.setNumThreads(1)
    rows: list[list[object]] = []
    for threads in arguments.threads:
        backend = open_backend(arguments.model, arguments.backend, threads)
        for paced in (False, True):
            figures = measure(Session(backend), arguments.steps, paced)
            shown = [figures[key] for key in ("p50_ms", "p95_ms", "p99_ms", "max_ms", "cpu_percent")]
            rows.append([backend.description, "paced" if paced else "in a row", *shown])
            append_record("step", {"threads": threads, **figures}, backend=backend.name, model=backend.card.name)
    print_table(["backend", "steps", "p50 ms", "p95 ms", "p99 ms", "max ms", "CPU % of a core"], rows)
    return 0


def measure(session: Session, steps: int, paced: bool) -> dict[str, Any]:
    """Step through the demonstration sound `steps` times and return durations and CPU use."""
    clock, card, durations = WallClock(), session.card, Durations()
    sound_T = demo_sound().mean(axis=1)
    last_start = len(sound_T) - card.window_samples
    for index in range(WARM_UP_STEPS):
        session.step(sound_T[: card.window_samples], {}, index)
    start_s, cpu_start_s = clock.now_s(), time.process_time()
    for index in range(steps):
        if paced:
            clock.sleep(max(0.0, start_s + index * card.hop_s - clock.now_s()))
        begin = index * card.hop_samples % last_start
        began_s = clock.now_s()
        session.step(sound_T[begin : begin + card.window_samples], {}, index)
        durations.add(clock.now_s() - began_s)
    cpu_s, wall_s = time.process_time() - cpu_start_s, clock.now_s() - start_s
    return {"paced": paced, "fps": steps / wall_s, "cpu_percent": 100.0 * cpu_s / wall_s, **durations.summary()}


if __name__ == "__main__":
    run_main(main)
