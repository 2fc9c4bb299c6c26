"""How long a step takes on a card, beside what its memory and its arithmetic allow; both measured by torch, none from a table."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.gpu_checks import THREADS, Shown
from benchmarks.gpu_child import Emit, Row
from benchmarks.gpu_models import operations_of
from engine.core.clock import WallClock
from engine.model.backend import Backend
from engine.model.backends.onnx_device import CAPTURE_AFTER_STEPS
from engine.model.backends.selection import open_backend
from engine.model.step import State
from engine.render.statistics import Durations

COPIED_BYTES = {"cuda": 1 << 30, "cpu": 1 << 27}
SIDE = {"cuda": 8192, "cpu": 512}
LEAST_STEPS, MOST_STEPS = 20, 3000
_ROUNDS = 8


def peaks(emit: Emit) -> None:
    """Emit the rate of a large copy in the card's memory, and of large matrix products in each precision."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    where = torch.cuda.get_device_name() if device == "cuda" else "processor"
    emit({"peak": "memory", "on": where, "rate": memory_rate(torch, device), "unit": "B/s"})
    kinds: dict[str, tuple[Any, bool]] = {"float32": (torch.float32, False)}
    if device == "cuda":
        kinds |= {"TF32": (torch.float32, True), "float16": (torch.float16, False)}
    side = SIDE[device]
    for name, (dtype, rounded) in kinds.items():
        torch.backends.cuda.matmul.allow_tf32 = rounded
        a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
        seconds = best_s(torch, device, lambda a=a, b=b: torch.mm(a, b))
        emit({"peak": name, "on": where, "rate": 2.0 * side**3 / seconds, "unit": "FLOP/s"})


def memory_rate(torch: Any, device: str) -> float:
    """Return the bytes a second of a large copy, each byte read and written."""
    source = torch.ones(COPIED_BYTES[device] // 4, device=device)
    target = torch.empty_like(source)
    return 2 * COPIED_BYTES[device] / best_s(torch, device, lambda: target.copy_(source))


def best_s(torch: Any, device: str, call: Callable[[], object]) -> float:
    """Return the least duration of a call, its work on the card included."""
    best = float("inf")
    for _ in range(_ROUNDS):
        began_s = time.perf_counter()
        call()
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - began_s)
    return best


def time_steps(backend: Backend, seconds: float) -> dict[str, float]:
    """Take steps one after another for so long, and return their durations; the first are those before a graph is captured."""
    clock, shown, state = WallClock(), Shown(backend.card), backend.initial_state()
    first, later = Durations(), Durations()

    def step(index: int, state: State, durations: Durations) -> State:
        inputs = shown.inputs(index, state)
        began_s = clock.now_s()
        next_state = backend.step(inputs).next_state
        durations.add(clock.now_s() - began_s)
        return next_state

    for index in range(CAPTURE_AFTER_STEPS):
        state = step(index, state, first)
    # The two that are captured belong to neither.
    for index in range(2):
        state = step(index, state, Durations())
    end_s, index = clock.now_s() + seconds, 0
    while index < LEAST_STEPS or (clock.now_s() < end_s and index < MOST_STEPS):
        state, index = step(index, state, later), index + 1
    return {"before_capture_p50_ms": first.summary()["p50_ms"], **later.summary()}


def time_files(emit: Emit, files: list[str], backend: str, seconds: float) -> None:
    """Emit a row of durations for each file, played by a backend as fast as it goes."""
    for file in files:
        opened = open_backend(file, backend, THREADS)
        card = opened.card
        moved = sum(_bytes(info.shape, info.dtype) for info in (*card.input_tensors(), *card.output_tensors()))
        row: Row = {"file": Path(file).name, "backend": backend, "precision": card.precision, "size": card.height}
        row["operations"] = operations_of(Path(file).parent, Path(file).stem)
        emit({**row, "tensor_bytes": moved, "file_bytes": Path(file).stat().st_size, **time_steps(opened, seconds)})
        # Its memory on the card, before the next is opened.
        del opened


def _bytes(shape: tuple[int, ...], dtype: str) -> int:
    count = 1
    for size in shape:
        count *= size
    return count * (1 if dtype == "uint8" else 4)
