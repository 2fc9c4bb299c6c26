"""Steps of shipped models beside the original's generator at larger frames.

    python -m benchmarks.shipped_beside_original CHECKOUT [--models veil strings] [--sizes 256 512]

CHECKOUT is a copy of the original Listen and Move code; its full generator has random weights and is stepped eagerly, from features
that are given to it. Ours compute features from sound and compose the frame, as in a show. All take a step in turn, on two threads,
so that a disturbance meets all alike. Set OMP_WAIT_POLICY=PASSIVE and GOMP_SPINCOUNT=0 in the environment: torch's threads wait
busily for work otherwise, into the next step of ours.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks.beside_original import measure, original_and_ours
from benchmarks.record import append_record, print_table
from engine.audio.sources.demo import demo_sound
from engine.core.errors import run_main
from engine.model.backends.selection import open_backend
from engine.model.session import Session
from engine.model.shipped import model_path

THREADS, FEATURES = 2, 64


def original_step(checkout: Path, size: int) -> Callable[[int], object]:
    """Return a step of the original at frames of `size` pixels."""
    original: Any = original_and_ours(checkout, size)[0]
    features = torch.randn(1, 1, FEATURES)

    @torch.no_grad()
    def step(_: int) -> object:
        return original(features)

    return step


def shipped_step(name: str) -> tuple[str, Callable[[int], object]]:
    """Return what a shipped model shows, in words, and a step of it."""
    session = Session(open_backend(model_path(name), "onnx-cpu", THREADS))
    card = session.card
    sound_T = demo_sound().mean(axis=1)
    places = len(sound_T) - card.window_samples

    def step(k: int) -> object:
        start = k * card.hop_samples % places
        return session.step(sound_T[start : start + card.window_samples], {}, k)

    return f"{name}, {card.width}x{card.height} at {card.fps:g} fps", step


def main() -> int:
    parser = argparse.ArgumentParser(description="Step shipped models beside the original's generator.")
    parser.add_argument("checkout", type=Path, metavar="CHECKOUT")
    parser.add_argument("--models", nargs="+", default=["veil", "strings"])
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--rounds", type=int, default=40)
    arguments = parser.parse_args()
    torch.set_num_threads(THREADS)
    cv2.setNumThreads(1)
    steps = dict(shipped_step(name) for name in arguments.models)
    steps |= {f"the original, {size}x{size}": original_step(arguments.checkout, size) for size in arguments.sizes}
    rows: list[list[object]] = []
    for name, taken_s in measure(steps, arguments.rounds).items():
        p50_ms, p95_ms = 1e3 * statistics.median(taken_s), 1e3 * float(np.quantile(taken_s, 0.95))
        append_record("shipped_beside_original", {"step": name, "threads": THREADS, "p50_ms": p50_ms, "p95_ms": p95_ms})
        rows.append([name, p50_ms, p95_ms, 1e3 / p50_ms])
    print_table(["step", "p50 ms", "p95 ms", "a second"], rows)
    return 0


if __name__ == "__main__":
    run_main(main)
