"""A hundred iterations of training, ours or the original's, as benchmarks/trainers.py builds them."""

from __future__ import annotations

import statistics
from pathlib import Path

from benchmarks.gpu_child import Emit
from engine.core.clock import WallClock

ITERATIONS = 100
OURS, ORIGINAL = ("ours, same maths", "ours, bfloat16"), "original"
SMALL = {"image_size": 32, "frames": 4}
"""On a processor, where a full iteration takes seconds; it shows that the part works."""
FULL = {"image_size": 128, "frames": 16}
_EVERY = 10
_WARM_UP = 1


def train(emit: Emit, trainer: str, device: str, reference: str, image_size: int, frames: int) -> None:
    """Train for ITERATIONS; emit a row after each ten, so that what a limit cuts off has a figure too."""
    import torch

    from benchmarks.trainers import THEIRS, Setting, our_trainer, peak_memory_mib, their_trainer

    # Two threads that wait for each other gain nothing on the small sequences of a processor.
    torch.set_num_threads(1)
    setting = Setting(Path(reference) if reference else None, image_size, frames, 1, device)
    build = their_trainer if trainer in THEIRS else our_trainer
    step, clock, took_s = build(trainer, setting), WallClock(), list[float]()
    for iteration in range(1, _WARM_UP + ITERATIONS + 1):
        began_s = clock.now_s()
        step()
        if device == "cuda":
            torch.cuda.synchronize()
        took_s.append(clock.now_s() - began_s)
        measured = took_s[_WARM_UP:]
        if measured and (len(measured) % _EVERY == 0 or len(measured) == 1):
            emit(
                {
                    "trainer": trainer,
                    "device": device,
                    "image_size": image_size,
                    "frames": frames,
                    "iterations": iteration - _WARM_UP,
                    "median_s": round(statistics.median(measured), 4),
                    "peak_mib": round(peak_memory_mib(device)),
                }
            )
