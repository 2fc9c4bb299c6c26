"""Iterations a second of training beside the original trainer, in turns on one machine.

    python -m benchmarks.train_step --reference CHECKOUT [--image-size 128] [--frames 16] [--rounds 5]

CHECKOUT is a copy of the original Listen and Move code (valillon/listen-and-move-gan). Every trainer lives in its own process and
they step one after the other, so that a disturbance meets all alike; peak memory is that of each process. All have the same
networks, losses (wgan-gp, perceptual) and batch; VGG16 has random weights, which cost what real ones cost.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from benchmarks.record import append_record, print_table
from benchmarks.trainers import OURS, THEIRS, Setting, our_trainer, peak_memory_mib, their_trainer
from engine.core.clock import WallClock
from engine.core.errors import run_main

WARM_UP_ROUNDS = 1


def serve(connection: Connection, name: str, setting: Setting) -> None:
    """Build one trainer and step it whenever asked; answer with seconds and this process's peak memory."""
    torch.set_num_threads(setting.threads)
    step: Callable[[], None] = our_trainer(name, setting) if name in OURS else their_trainer(name, setting)
    clock = WallClock()
    connection.send(None)
    while connection.recv():
        began_s = clock.now_s()
        step()
        if setting.device == "cuda":
            torch.cuda.synchronize()
        connection.send((clock.now_s() - began_s, peak_memory_mib(setting.device)))


def measure(names: list[str], setting: Setting, rounds: int) -> dict[str, tuple[list[float], float]]:
    """Step every trainer once a round; return seconds of each round and peak memory in MiB by name."""
    context = multiprocessing.get_context("spawn")
    workers: dict[str, Connection] = {}
    for name in names:
        ours, theirs = context.Pipe()
        context.Process(target=serve, args=(theirs, name, setting), daemon=True).start()
        ours.recv()
        workers[name] = ours
    seconds: dict[str, list[float]] = {name: [] for name in names}
    peaks: dict[str, float] = {}
    for round_number in range(WARM_UP_ROUNDS + rounds):
        for name, worker in workers.items():
            worker.send(True)
            took_s, peaks[name] = worker.recv()
            if round_number >= WARM_UP_ROUNDS:
                seconds[name].append(took_s)
    for worker in workers.values():
        worker.send(False)
    return {name: (seconds[name], peaks[name]) for name in names}


def main() -> int:
    parser = argparse.ArgumentParser(description="Time training iterations beside the original trainer.")
    parser.add_argument("--reference", type=Path, metavar="CHECKOUT", help="without it only our own are timed")
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--frames", type=int, default=16, help="of a sequence (default 16)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--only", nargs="+", choices=(*THEIRS, *OURS), help="leave the others out")
    parser.add_argument("--no-record", action="store_true")
    flags = parser.parse_args()
    setting = Setting(flags.reference, flags.image_size, flags.frames, flags.threads, flags.device)
    names = [name for name in (*THEIRS, *OURS) if name in OURS or flags.reference]
    names = [name for name in names if flags.only is None or name in flags.only]
    found = measure(names, setting, flags.rounds)
    baseline = statistics.median(found[names[0]][0])
    rows: list[list[object]] = []
    for name, (seconds, peak_mib) in found.items():
        median_s = statistics.median(seconds)
        spread = f"{min(seconds):.2f}-{max(seconds):.2f}"
        rows.append([name, median_s, spread, baseline / median_s, f"{peak_mib:.0f}"])
        figures = {
            "trainer": name,
            "image_size": flags.image_size,
            "frames": flags.frames,
            "threads": flags.threads,
            "median_s": median_s,
            "rounds_s": seconds,
            "against": names[0],
            "speed_up": baseline / median_s,
            "peak_memory_mib": peak_mib,
        }
        if not flags.no_record:
            append_record("train_step", figures, backend=flags.device, model=f"paper-{flags.image_size}")
    print_table(["trainer", "s an iteration", "range", f"times {names[0]}", "peak MiB"], rows)
    return 0


if __name__ == "__main__":
    run_main(main)
