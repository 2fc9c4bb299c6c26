"""Frame age over hours.

    python -m benchmarks.frame_age MODEL.onnx --source mic --seconds 600

Plays a live source without an output and reports for each tenth of the time: p50, p95, p99 and max of the frame age, skipped hops,
memory; and for the whole show the drift: the difference between the sound received and the clock in samples. The age does not
include the path of the sound before its capture and of the frame after its delivery.
"""

from __future__ import annotations

import argparse
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from benchmarks.record import append_record, print_table
from engine.app.assembly import Modulators, assemble
from engine.audio.sources.registry import open_source
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import parameters_for
from engine.core.clock import WallClock
from engine.core.errors import run_main
from engine.core.notices import Notices
from engine.model.backends.selection import AUTO, backend_names, open_backend
from engine.model.session import Session
from engine.output.frame import Frame, ShowFormat
from engine.output.sink import FrameRate
from engine.render.play import play
from engine.render.runtime import Runtime
from engine.render.statistics import Durations, ShowStatistics
from engine.render.steering import Steering

SLICES = 10


class AgeSink:
    """Measures the frames in each slice of the show."""

    name = "age"
    rate: FrameRate = "hop"
    with_effects = False
    standby = False
    lost_frames = 0

    def __init__(self, seconds: float, rate_hz: int) -> None:
        self._slice_s = seconds / SLICES
        self._rate_hz = rate_hz
        self._clock = WallClock()
        self._process = psutil.Process()
        self.ages = [Durations() for _ in range(SLICES)]
        self.skipped_hops = [0] * SLICES
        self.memory_mib = [0.0] * SLICES
        self.drift_samples = [0.0] * SLICES
        self._first: Frame | None = None

    def open(self, show: ShowFormat) -> None:
        """Nothing to prepare."""

    def wants(self, values: Mapping[str, float | int | bool]) -> bool:
        return True

    def show(self, frame: Frame) -> None:
        assert frame.captured_s is not None, "only live sources have an age"
        self._first = self._first or frame
        assert self._first.captured_s is not None
        position = min(int(frame.time_s / self._slice_s), SLICES - 1)
        self.ages[position].add(self._clock.now_s() - frame.captured_s)
        self.skipped_hops[position] += frame.skipped_hops
        self.memory_mib[position] = self._process.memory_info().rss / 2**20
        passed_s = frame.captured_s - self._first.captured_s
        self.drift_samples[position] = (frame.time_s - self._first.time_s - passed_s) * self._rate_hz

    def close(self) -> None:
        """Nothing to release."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the frame age over a long live show.")
    parser.add_argument("model", help="model file (.onnx)")
    parser.add_argument("--source", default="mic", help="live source (default mic)")
    parser.add_argument("--seconds", type=float, default=600.0, help="length of the show (default 600)")
    parser.add_argument("--backend", default=AUTO, choices=backend_names())
    arguments = parser.parse_args()
    backend = open_backend(arguments.model, arguments.backend)
    source = open_source(arguments.source, live=True, repeat=True)
    sink, stats = AgeSink(arguments.seconds, backend.card.sample_rate_hz), ShowStatistics()
    store = ParameterStore(parameters_for(backend.card))
    runtime = Runtime(clock=WallClock(), statistics=stats, notices=Notices(print), live=source.live)
    modulators = Modulators(tuple(store.parameters.values()), {}, print)
    show = assemble(source, Session(backend), [sink], Steering(store=store), modulators, runtime)
    play(show, threading.Event(), arguments.seconds)
    figures = report(sink, stats, arguments.seconds)
    append_record(
        "frame_age", {"source": source.name, **figures}, backend=backend.description, model=Path(arguments.model).name
    )
    return 0


def report(sink: AgeSink, stats: ShowStatistics, seconds: float) -> dict[str, Any]:
    """Print the table and return its figures for the record."""
    rows: list[list[object]] = []
    slices: list[dict[str, float]] = []
    for position, ages in enumerate(sink.ages):
        figures = {
            **ages.summary(),
            "skipped_hops": float(sink.skipped_hops[position]),
            "memory_mib": round(sink.memory_mib[position], 1),
            "drift_samples": round(sink.drift_samples[position], 1),
        }
        slices.append(figures)
        columns = ("p50_ms", "p95_ms", "p99_ms", "max_ms", "skipped_hops", "memory_mib", "drift_samples")
        rows.append([f"{(position + 1) * seconds / SLICES:.0f}", *(figures[name] for name in columns)])
    print_table(["until s", "p50 ms", "p95 ms", "p99 ms", "max ms", "skipped", "MiB", "drift samples"], rows)
    growth_mib = sink.memory_mib[-1] - sink.memory_mib[0]
    print(
        f"memory growth after the first slice: {growth_mib:.1f} MiB; resampler delay {1e3 * stats.resampler_delay_s:.1f} ms"
    )
    return {"seconds": seconds, "slices": slices, "memory_growth_mib": round(growth_mib, 2), "stats": stats.summary()}


if __name__ == "__main__":
    run_main(main)
