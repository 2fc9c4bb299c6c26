"""The lines of the overlay. A tab separates a line's name from its value; a line without a tab is a warning."""

from __future__ import annotations

from engine.core.printable import printable
from engine.ops.health_monitor import HealthMonitor
from engine.render.sync_meter import SyncReading


def overlay_lines(monitor: HealthMonitor, now_s: float, scene: str, fps: float, model: str) -> list[str]:
    """Return the lines of this moment; `fps` is the model's own rate, `scene` is empty before one was recalled."""
    report = monitor.report(now_s)
    age = monitor.shown_age if report.shown_age_ms is not None else monitor.handed_age
    now_ms = report.age_ms if report.shown_age_ms is None else report.shown_age_ms
    flashes = monitor.flashes
    lines = [
        f"age\t{'–' if now_ms is None else f'{now_ms:.0f}'} ms now, {1e3 * age.percentile_s(95):.0f} ms p95",
        f"rate\t{report.fps:.0f} of {fps:.0f} fps, {report.skipped_hops} skipped",
        f"model\t{printable(model)}, {printable(report.backend)}",
        f"sound\t{printable(report.source)}",
        f"gain\t{monitor.describe_conditioning()}",
        f"sync\t{_sync(monitor.sync.reading())}",
        *([f"scene\t{printable(scene)}"] if scene else []),
        f"flashes\t{flashes.general_flashes_a_second:.0f} a second, {flashes.softened} softened",
    ]
    return lines if report.alive else [*lines, report.reason]


def _sync(reading: SyncReading) -> str:
    return f"undefined, {reading.reason}" if reading.reason else f"{reading.value:.2f}, floor {reading.floor:.2f}"
