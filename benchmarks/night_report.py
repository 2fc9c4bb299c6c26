"""The figures of the overnight test: still and black times, recovery of the frame age, memory, drift."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.night_watch import Sample

BLACK = 12.0
LONGEST_STILL_S = 1.0
RECOVERY_S = 2.0
MEMORY_GROWTH = 0.02
SETTLED_S = 300.0
"""Time after which memory is compared."""
STARTED_S = 3.0
"""The first seconds after the first frame do not count: the window is being placed."""
BACK_SHARE, BACK_MS = 0.5, 10.0
"""An age is normal up to 1.5 times the median, or 10 ms above it."""
STEADY_S = 1.0
AFTER_S = 8.0
"""Time after a fault in which the age is evaluated."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FaultRecord:
    """One fault, in seconds since the start of the test."""

    name: str
    start_s: float
    end_s: float
    excuses: bool
    lines: tuple[str, ...] = ()
    """The lines that the show printed meanwhile."""


def longest_run_s(
    samples: Sequence[Sample], same: Callable[[Sample, Sample], bool], excused: Sequence[tuple[float, float]]
) -> float:
    """Return the longest run of samples that are the `same` as the first of the run, without the excused times."""
    longest_s, first = 0.0, None
    for sample in samples:
        if first is None or not same(first, sample):
            first = sample
            continue
        excused_s = sum(max(0.0, min(end, sample.at_s) - max(start, first.at_s)) for start, end in excused)
        longest_s = max(longest_s, sample.at_s - first.at_s - excused_s)
    return longest_s


def still(first: Sample, sample: Sample) -> bool:
    return sample.signature is not None and sample.signature == first.signature


def black(first: Sample, sample: Sample) -> bool:
    return all(s.brightness is not None and s.brightness < BLACK for s in (first, sample))


def normal_age_ms(samples: Sequence[Sample], faults: Sequence[FaultRecord]) -> float | None:
    """Return the median age outside faults."""
    ages = [
        s.age_ms
        for s in samples
        if s.age_ms is not None and not any(f.start_s <= s.at_s <= f.end_s + 2 * RECOVERY_S for f in faults)
    ]
    return median(ages) if ages else None


def recovery_s(samples: Sequence[Sample], end_s: float, normal_ms: float) -> float | None:
    """Return the time from `end_s` until the age is normal for at least a second; None when it never is.

    Samples are medians of the last second, which is included in the result.
    """
    limit_ms = normal_ms + max(BACK_MS, BACK_SHARE * normal_ms)
    since_s: float | None = None
    for sample in samples:
        if sample.at_s < end_s:
            continue
        if sample.age_ms is None or sample.age_ms > limit_ms:
            since_s = None
        elif since_s is None:
            since_s = sample.at_s
        elif sample.at_s - since_s >= STEADY_S:
            return since_s - end_s
    return None


def memory(samples: Sequence[Sample]) -> dict[str, float | None]:
    """Return memory at SETTLED_S (in a short test at half time), the maximum after it, the last value, and the growth as a share."""
    sampled = [(s.at_s, s.rss_mib) for s in samples if s.rss_mib is not None]
    from_s = min(SETTLED_S, sampled[-1][0] / 2) if sampled else 0.0
    later = [mib for at_s, mib in sampled if at_s >= from_s]
    if not later:
        return {"settled_mib": None, "most_mib": None, "last_mib": None, "growth": None}
    return {
        "settled_mib": later[0],
        "most_mib": max(later),
        "last_mib": later[-1],
        "growth": round((max(later) - later[0]) / later[0], 4),
    }


def drift(samples: Sequence[Sample], stats: dict[str, Any], hop_samples: int) -> dict[str, Any]:
    """Return the difference of frame index times hop from the samples received, and the drift of the show against the clock.

    The first is exact: less than one hop of samples is pending.
    """
    received = stats.get("heard_samples")
    pending = None if received is None else received - stats["hops"] * hop_samples
    lags = [s.uptime_s - s.hops * hop_samples / stats["sample_rate_hz"] for s in samples if s.hops and s.uptime_s]
    return {
        "drift_samples": None if pending is None else 0 if 0 <= pending < hop_samples else pending,
        "pending_samples": pending,
        "clock_lag_change_ms": round(1e3 * (median(lags[-25:]) - median(lags[:25])), 1) if len(lags) > 50 else None,
    }


def judge_faults(
    samples: Sequence[Sample], faults: Sequence[FaultRecord], normal_ms: float | None
) -> list[dict[str, Any]]:
    """Return one row per fault: still and black times around it, recovery, lines."""
    excused = [(f.start_s, f.end_s) for f in faults if f.excuses]
    rows: list[dict[str, Any]] = []
    for fault in faults:
        until_s = next((f.start_s for f in faults if f.start_s > fault.start_s), float("inf"))
        around = [s for s in samples if fault.start_s - 0.5 <= s.at_s <= min(until_s, fault.end_s + AFTER_S)]
        back_s = None if normal_ms is None else recovery_s(around, fault.end_s, normal_ms)
        rows.append({
            "fault": fault.name,
            "at_s": round(fault.start_s, 1),
            "still_s": round(longest_run_s(around, still, excused), 2),
            "black_s": round(longest_run_s(around, black, excused), 2),
            "age_back_s": None if back_s is None else round(back_s, 2),
            "later_age_ms": max((s.age_ms for s in around if s.age_ms and s.at_s > fault.end_s + RECOVERY_S), default=None),
            "told": len(fault.lines),
            "said": list(fault.lines[:8]),
        })  # fmt: skip
    return rows


def by_kind(rows: Sequence[dict[str, Any]], measured: bool) -> list[list[object]]:
    """Return the table of faults with the worst of each kind. `measured`: the show reported its frame age."""
    table: list[list[object]] = []
    for name in dict.fromkeys(row["fault"] for row in rows):
        of_kind = [row for row in rows if row["fault"] == name]
        back = [row["age_back_s"] for row in of_kind]
        worst_back: object = "not measured" if not measured else "never" if None in back else f"{max(back):.1f}"
        still_s, black_s = (max(row[key] for row in of_kind) for key in ("still_s", "black_s"))
        later = max((row["later_age_ms"] or 0.0 for row in of_kind), default=0.0)
        lines = sum(row["told"] for row in of_kind)
        table.append([name, len(of_kind), f"{still_s:.1f}", f"{black_s:.1f}", worst_back, f"{later:.0f}", lines])
    return table


def verdicts(figures: dict[str, Any]) -> dict[str, bool | None]:
    """Return for each goal whether it was reached; None where it was not measured."""
    growth, drift_samples, back = (
        figures["memory"]["growth"],
        figures["drift"]["drift_samples"],
        figures["worst_age_back_s"],
    )
    return {
        "no crash": figures["crashes"] == 0,
        f"never still beyond {LONGEST_STILL_S:g} s": figures["still_s"] <= LONGEST_STILL_S,
        f"never black beyond {LONGEST_STILL_S:g} s": figures["black_s"] <= LONGEST_STILL_S,
        "drift 0 samples": None if drift_samples is None else drift_samples == 0,
        f"memory within {MEMORY_GROWTH:.0%}": None if growth is None else growth <= MEMORY_GROWTH,
        f"age back within {RECOVERY_S:g} s": None
        if figures["normal_age_ms"] is None
        else back is not None and back <= RECOVERY_S,
    }


def plot(path: Path, samples: Sequence[Sample], faults: Sequence[FaultRecord]) -> None:
    """Plot age, frame rate and memory over time, with the faults marked."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(3, 1, figsize=(12, 8), sharex=True, constrained_layout=True)
    series = (("age_ms", "age when shown, ms"), ("fps", "frames per second"), ("rss_mib", "memory held, MiB"))
    names = list(dict.fromkeys(fault.name for fault in faults))
    for panel, (key, label) in zip(panels, series, strict=True):
        points = [(s.at_s / 60, getattr(s, key)) for s in samples if getattr(s, key) is not None]
        if points:
            panel.plot(*zip(*points, strict=True), color="black", linewidth=0.8)
        panel.set_ylabel(label)
        panel.grid(alpha=0.25)
        for fault in faults:
            colour = mpl.colormaps["tab20"](names.index(fault.name) % 20)
            first = fault is next(f for f in faults if f.name == fault.name) and panel is panels[0]
            panel.axvspan(
                fault.start_s / 60, fault.end_s / 60, color=colour, alpha=0.35, label=fault.name if first else None
            )
    panels[0].set_yscale("log")
    panels[-1].set_xlabel("minutes")
    if faults:
        panels[0].legend(loc="lower center", bbox_to_anchor=(0.5, 1.01), ncols=4, fontsize=8, frameon=False)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
