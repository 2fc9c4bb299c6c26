"""Cost of the input trim.

    python -m benchmarks.input_trim

For the blocks of a live show, which are frames of the features, and of a rendering: milliseconds of processor time a hop of 50 ms at 16 kHz, with all
gains at 0 dB, with gains that stand, and with gains that move.
"""

from __future__ import annotations

import argparse

import numpy as np

from benchmarks.record import append_record, print_table
from engine.audio.band_trim import NEUTRAL, BandGains, BandTrim
from engine.core.clock import WallClock

RATE_HZ, HOP_SAMPLES = 16000, 800
BLOCKS = {"live, 4 ms": 64, "rendering": HOP_SAMPLES}
ROUNDS, HOPS = 20, 50
STANDING, OTHER = BandGains(-9.0, 0.0, 3.0), BandGains(9.0, 6.0, -3.0)
CASES = {"0 dB": (NEUTRAL, NEUTRAL), "standing": (STANDING, STANDING), "moving": (STANDING, OTHER)}


def main() -> None:
    argparse.ArgumentParser(description="Measure what the input trim costs a hop.").parse_args()
    headings = ["blocks", "gains", "ms a hop"]
    rows: list[list[object]] = [
        [name, case, measure(block_samples, targets)]
        for name, block_samples in BLOCKS.items()
        for case, targets in CASES.items()
    ]
    print_table(headings, rows)
    append_record("input_trim", {"headings": headings, "rows": rows})


def measure(block_samples: int, targets: tuple[BandGains, BandGains]) -> float:
    """Return the milliseconds that a hop takes, the least of some rounds, with targets that take turns."""
    clock, trim = WallClock(), BandTrim(RATE_HZ, HOP_SAMPLES)
    hop_T = (0.1 * np.random.default_rng(0).standard_normal(HOP_SAMPLES)).astype(np.float32)
    blocks = [hop_T[begin : begin + block_samples] for begin in range(0, HOP_SAMPLES, block_samples)]
    rounds_s = list[float]()
    for _ in range(ROUNDS):
        started_s = clock.now_s()
        for hop in range(HOPS):
            trim.begin_hop(targets[hop % 2])
            for block_T in blocks:
                trim.feed(block_T)
        rounds_s.append((clock.now_s() - started_s) / HOPS)
    return 1e3 * min(rounds_s)


if __name__ == "__main__":
    main()
