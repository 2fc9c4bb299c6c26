"""Whether a show is alive is decided from times alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.ops.health_monitor import START_WITHIN_S, STUCK_S, HealthMonitor, resident_mib, stall_reason
from tests.engine.app.shows import InventedClock


def playing(clock: InventedClock, seconds: float, age_s: float = 0.02) -> HealthMonitor:
    """A show of 20 fps that has just played so long."""
    monitor = HealthMonitor(clock)
    for _ in range(round(20 * seconds)):
        clock.sleep(0.05)
        monitor.add_frame(0, age_s, {"step": 0.01})
        monitor.add_shown(age_s + 0.005)
    return monitor


def test_a_playing_show_is_alive_and_reports_its_age() -> None:
    clock = InventedClock()
    report = playing(clock, 10.0).report(clock.now_s())
    assert (report.alive, report.reason, report.hops, report.steps) == (True, "", 200, 200)
    assert report.fps == pytest.approx(20.0, abs=1)
    assert (report.age_ms, report.shown_age_ms) == (pytest.approx(20.0), pytest.approx(25.0))
    assert report.uptime_s == pytest.approx(10.0)


def test_the_age_is_that_of_the_last_second() -> None:
    clock = InventedClock()
    monitor = playing(clock, 100.0)
    for _ in range(20):
        clock.sleep(0.05)
        monitor.add_frame(0, 0.4, {})
    assert monitor.report(clock.now_s()).age_ms == pytest.approx(400.0)
    clock.sleep(1.5)
    report = monitor.report(clock.now_s())
    assert (report.age_ms, report.fps, report.last_frame_s) == (None, 0.0, pytest.approx(1.5))


def test_a_show_that_makes_no_frames_is_not_alive_and_says_why() -> None:
    clock = InventedClock()
    monitor = playing(clock, 1.0)
    clock.sleep(STUCK_S + 0.5)
    report = monitor.report(clock.now_s())
    assert (report.alive, report.reason) == (False, "no frame was made for 3.5 s")
    monitor.add_frame(70, 0.02, {})
    assert monitor.report(clock.now_s()).alive


def test_with_a_window_frames_must_also_be_shown() -> None:
    clock = InventedClock()
    monitor = playing(clock, 1.0)
    for _ in range(100):
        clock.sleep(0.05)
        monitor.add_frame(0, 0.02, {})
    assert monitor.report(clock.now_s()).alive
    monitor.has_window = True
    assert monitor.report(clock.now_s()).reason == "no frame was shown for 5.0 s"


@pytest.mark.parametrize(
    ("uptime_s", "last_frame_s", "last_shown_s", "has_window", "alive"),
    [
        (1.0, None, None, True, True),
        (START_WITHIN_S + 1.0, None, None, False, False),
        (START_WITHIN_S - 1.0, 0.0, None, True, True),
        (START_WITHIN_S + 1.0, 0.0, None, True, False),
        (START_WITHIN_S + 1.0, 0.0, None, False, True),
        (1e7, STUCK_S, STUCK_S, True, True),
    ],
)
def test_a_start_is_given_time(
    uptime_s: float, last_frame_s: float | None, last_shown_s: float | None, has_window: bool, alive: bool
) -> None:
    assert (not stall_reason(uptime_s, last_frame_s, last_shown_s, has_window)) is alive


def test_memory_is_reported_where_the_system_has_it() -> None:
    held_mib = resident_mib()
    assert held_mib is None or held_mib > 10.0


def test_a_process_that_can_open_no_more_files_still_reports_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **more: object) -> str:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(Path, "read_text", refuse)
    clock = InventedClock()
    report = playing(clock, 1.0).report(clock.now_s())
    assert (report.alive, report.rss_mib) == (True, None)
