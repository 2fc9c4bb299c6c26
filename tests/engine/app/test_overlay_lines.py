"""What the overlay says of the sync meter."""

from __future__ import annotations

from engine.app.overlay_lines import overlay_lines
from engine.ops.health_monitor import HealthMonitor
from tests.engine.app.shows import InventedClock
from tests.engine.render.test_sync_meter import CLICKS_S, clicks, flashes, show


def sync_line(monitor: HealthMonitor) -> str:
    lines = [line.partition("\t") for line in overlay_lines(monitor, 1000.0, "", 20.0, "probe")]
    return next(value for name, _, value in lines if name == "sync")


def test_the_sync_meter_says_its_value_and_floor_or_why_it_has_none():
    monitor = HealthMonitor(InventedClock())
    assert sync_line(monitor) == "undefined, too few frames"
    for frame in show(clicks(CLICKS_S), flashes(CLICKS_S, 20.0), 20.0):
        monitor.sync.add(frame)
    reading = monitor.sync.reading()
    assert sync_line(monitor) == f"{reading.value:.2f}, floor {reading.floor:.2f}"
