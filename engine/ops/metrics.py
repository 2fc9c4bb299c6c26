"""The health report as Prometheus metrics, in base units."""

from __future__ import annotations

from collections.abc import Iterator

from engine.core.errors import ConfigError
from engine.core.printable import printable
from engine.ops.health_monitor import HealthReport

try:
    from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, generate_latest
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
    from prometheus_client.registry import Collector
except ImportError as error:
    raise ConfigError(
        "The package prometheus_client is missing, so --health-port cannot serve metrics; install it with: "
        "pip install prometheus_client"
    ) from error

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


def metrics_text(report: HealthReport) -> bytes:
    """Return the report in Prometheus' text format 0.0.4. Metrics without a value are left out."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_ReportCollector(report))
    return generate_latest(registry)


class _ReportCollector(Collector):
    def __init__(self, report: HealthReport) -> None:
        self._report = report

    def collect(self) -> Iterator[Metric]:
        report = self._report
        gauges = (
            ("up", "1 while frames are made and shown.", float(report.alive)),
            ("uptime_seconds", "Time since the start of the show.", report.uptime_s),
            ("last_frame_seconds", "Time since the last frame was made.", report.last_frame_s),
            ("last_shown_seconds", "Time since the last frame was shown in the window.", report.last_shown_s),
            ("frames_per_second", "Frames made in the last second.", report.fps),
            ("frame_age_seconds", "Median age of the frames of the last second when made.", _seconds(report.age_ms)),
            ("shown_age_seconds", "Median age of these frames when shown.", _seconds(report.shown_age_ms)),
            ("resident_bytes", "Memory held by the process.", _bytes(report.rss_mib)),
        )
        counters = (
            ("hops", "Hops of sound, stepped or skipped.", report.hops),
            ("steps", "Hops that the model stepped.", report.steps),
            ("skipped_hops", "Hops skipped under overload.", report.skipped_hops),
            ("failed_steps", "Steps that failed; the last frame was held.", report.failed_steps),
            ("dropped_samples", "Samples dropped because the show did not read them in time.", report.dropped_samples),
        )
        for name, documentation, value in gauges:
            if value is not None:
                yield GaugeMetricFamily(f"fluid_{name}", documentation, value=value)
        for name, documentation, count in counters:
            yield CounterMetricFamily(f"fluid_{name}", documentation, value=count)
        if report.lost_frames:
            lost = CounterMetricFamily("fluid_lost_frames", "Frames that an output never showed.", labels=["output"])
            for output, count in report.lost_frames.items():
                lost.add_metric([printable(output)], count)
            yield lost
        if report.levels:
            levels = GaugeMetricFamily("fluid_input_level", "Level of a named input, 0 to 1.", labels=["input"])
            for name, level in report.levels.items():
                levels.add_metric([name], level)
            yield levels


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1e3


def _bytes(mib: float | None) -> float | None:
    return None if mib is None else mib * 2**20
