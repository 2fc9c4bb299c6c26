"""What a show measures of itself, in memory that does not grow with its length."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.core.atomic_files import write_text
from engine.render.effects.flash_guard import GuardMeter
from engine.render.sync_meter import SyncMeter

_SMALLEST_S = 1e-6
_LARGEST_S = 1e3
# Neighbouring bins differ by 1 %, and so does what is read from them.
_STEP = math.log(1.01)
_BINS = math.ceil(math.log(_LARGEST_S / _SMALLEST_S) / _STEP) + 1


class Durations:
    """Counts of durations in bins 1 % wide, from a microsecond to a quarter of an hour. One thread adds."""

    def __init__(self) -> None:
        self._bins = [0] * _BINS
        self._count = 0
        self._largest_s = 0.0
        self._sum_s = 0.0

    def add(self, duration_s: float) -> None:
        duration_s = max(duration_s, 0.0)
        position = math.log(max(duration_s, _SMALLEST_S) / _SMALLEST_S) / _STEP
        self._bins[min(int(position), _BINS - 1)] += 1
        self._count += 1
        self._sum_s += duration_s
        self._largest_s = max(self._largest_s, duration_s)

    def percentile_s(self, percent: float) -> float:
        """Return the duration that `percent` of all do not exceed, to within 1 %; 0 when there are none."""
        rank, seen = percent / 100.0 * self._count, 0
        for position, count in enumerate(self._bins):
            seen += count
            if count and seen >= rank:
                return min(_SMALLEST_S * math.exp((position + 1) * _STEP), self._largest_s)
        return 0.0

    def summary(self) -> dict[str, float]:
        """Return count, and mean, p50, p95, p99 and max in milliseconds."""
        figures = {"count": float(self._count), "mean_ms": 1e3 * self._sum_s / max(self._count, 1)}
        for percent in (50, 95, 99):
            figures[f"p{percent}_ms"] = 1e3 * self.percentile_s(percent)
        figures["max_ms"] = 1e3 * self._largest_s
        return {name: round(value, 3) for name, value in figures.items()}


class ShowStatistics:
    """Counts and durations of one show. The step thread adds; `add_shown` belongs to the thread of the windows."""

    def __init__(self) -> None:
        self.hops = 0
        """Hops of sound that have gone by, stepped or skipped."""
        self.received_samples = 0
        """Samples heard at the model's rate when the newest hop was picked."""
        self.steps = 0
        self.skipped_hops = 0
        self.failed_steps = 0
        self.early_steps = 0
        """Steps between two hops, which showed an onset at once."""
        self.dropped_samples = 0
        """Samples the source lost because nobody took them in time."""
        self.lost_frames: dict[str, int] = {}
        """Frames given to a sink that it never showed, by sink."""
        self.resampler_delay_s = 0.0
        self.drawn = 0
        """Drawings in the windows; more than frames shown while effects move."""
        self.flashes = GuardMeter()
        """The flash guard's measurements of what the windows showed."""
        self.sync = SyncMeter()
        """How well onsets and motion go together."""
        self.timings: dict[str, Durations] = {}
        self.handed_age = Durations()
        """From capture of a frame's newest sample to its delivery."""
        self.shown_age = Durations()
        """From capture to the return of the window's `show`."""

    def add_frame(self, skipped_hops: int, age_s: float | None, timings_s: Mapping[str, float]) -> None:
        """Count one frame handed on; `age_s` is None offline."""
        self.steps += 1
        self.skipped_hops += skipped_hops
        self.hops += 1 + skipped_hops
        if age_s is not None:
            self.handed_age.add(age_s)
        for name, duration_s in timings_s.items():
            self.add_timing(name, duration_s)

    def add_timing(self, name: str, duration_s: float) -> None:
        """Add how long a stage took. Each stage belongs to one thread."""
        self.timings.setdefault(name, Durations()).add(duration_s)

    def count_lost(self, sink: str) -> None:
        """Count one frame that a sink was not given because the machine is too slow."""
        self.lost_frames[sink] = self.lost_frames.get(sink, 0) + 1

    def count_drawn(self, flashes: GuardMeter) -> None:
        """Count one drawing in the windows, and keep the flash guard's measurements so far."""
        self.drawn += 1
        self.flashes = flashes

    def add_shown(self, age_s: float | None) -> None:
        """Count one frame that the windows have shown."""
        if age_s is not None:
            self.shown_age.add(age_s)

    def summary(self) -> dict[str, Any]:
        """Return every figure, ready for JSON."""
        return {
            "hops": self.hops,
            "heard_samples": self.received_samples,
            "steps": self.steps,
            "skipped_hops": self.skipped_hops,
            "failed_steps": self.failed_steps,
            "early_steps": self.early_steps,
            "dropped_samples": self.dropped_samples,
            "lost_frames": dict(self.lost_frames),
            "drawn": self.drawn,
            "flashes": self.flashes._asdict(),
            "sync": self.sync.summary(),
            "resampler_delay_ms": round(1e3 * self.resampler_delay_s, 3),
            "handed_age": self.handed_age.summary(),
            "shown_age": self.shown_age.summary(),
            "stages": {name: durations.summary() for name, durations in list(self.timings.items())},
        }

    def write_json(self, path: Path | str) -> None:
        """Write the summary to a file, atomically. Raises OSError."""
        write_text(Path(path), json.dumps(self.summary(), indent=1) + "\n")
