"""A count on the meta device beside one real computation on this machine's processor: memory and time."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from pathlib import Path

import torch

from training.diffusion.cost import GIB, Cost, operations_per_s


def beside_a_real_one(computation: Callable[[], object], count: Callable[[], Cost]) -> dict[str, float]:
    """Return counted and measured memory and time. The process must not have needed more memory before than now."""
    before = _resident_bytes()
    begun_s = time.perf_counter()
    with torch.no_grad():
        computation()
    took_s = time.perf_counter() - begun_s
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    cost = count()
    return {
        "counted_gib": cost.peak_bytes / GIB,
        "measured_gib": grown / GIB,
        "counted_s": cost.operations / operations_per_s(torch.device("cpu"), torch.float32),
        "measured_s": took_s,
    }


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()
