"""The figures of the overnight test, from invented samples."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from benchmarks import night_report
from benchmarks.night_report import FaultRecord, black, longest_run_s, recovery_s, still
from benchmarks.night_traffic import EXCLUDED, LIMITS, datagram
from benchmarks.night_watch import Sample
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import TABLE
from engine.control.remotes.osc import OscServer
from engine.control.remotes.remote_access import RemoteAccess


def samples(seconds: float, **fields) -> list[Sample]:
    """A moving show: five samples a second, all different."""
    whole = {"age_ms": 30.0, "fps": 20.0, "rss_mib": 200.0, "brightness": 200.0, **fields}
    return [Sample(at_s=round(k / 5, 3), signature=k, **whole) for k in range(round(5 * seconds))]


def changed(series: list[Sample], start_s: float, end_s: float, **fields) -> list[Sample]:
    from dataclasses import replace

    return [replace(s, **fields) if start_s <= s.at_s < end_s else s for s in series]


def test_moving_frames_are_never_still_and_held_ones_are() -> None:
    series = samples(10.0)
    assert longest_run_s(series, still, []) == 0.0
    series = changed(series, 4.0, 6.0, signature=7)
    assert longest_run_s(series, still, []) == pytest.approx(1.8)
    assert longest_run_s(series, still, [(4.0, 5.0)]) == pytest.approx(0.8)
    unseen = changed(series, 4.0, 6.0, signature=None)
    assert longest_run_s(unseen, still, []) == 0.0


def test_black_frames_are_black_even_if_they_move() -> None:
    series = changed(samples(10.0), 4.0, 6.0, brightness=3.0)
    assert longest_run_s(series, black, []) == pytest.approx(1.8)
    assert longest_run_s(samples(10.0), black, []) == 0.0


def test_recovery_is_when_the_age_has_been_normal_for_a_second() -> None:
    series = changed(changed(samples(10.0), 3.0, 4.0, age_ms=300.0), 4.5, 5.0, age_ms=300.0)
    assert recovery_s(series, 3.0, 30.0) == pytest.approx(2.0)
    assert recovery_s(series, 6.0, 30.0) == pytest.approx(0.0)
    assert recovery_s(changed(series, 6.0, 10.0, age_ms=None), 6.0, 30.0) is None


def test_faults_are_evaluated_one_by_one_and_summarised_by_kind() -> None:
    faults = [
        FaultRecord(name="hang", start_s=10.0, end_s=13.0, excuses=False, lines=("no sound", "back")),
        FaultRecord(name="stop", start_s=20.0, end_s=25.0, excuses=True),
        FaultRecord(name="hang", start_s=30.0, end_s=33.0, excuses=False),
    ]
    series = changed(changed(samples(60.0), 10.0, 11.0, signature=1), 20.0, 25.0, signature=2)
    assert night_report.normal_age_ms(series, faults) == 30.0
    rows = night_report.judge_faults(series, faults, 30.0)
    assert [row["still_s"] for row in rows] == [pytest.approx(0.8), 0.0, 0.0]
    table = night_report.by_kind(rows, measured=True)
    assert table == [["hang", 2, "0.8", "0.0", "0.0", "30", 2], ["stop", 1, "0.0", "0.0", "0.0", "30", 0]]


def test_memory_is_compared_after_it_has_settled() -> None:
    series = changed(samples(3600.0), 0.0, 300.0, rss_mib=100.0)
    assert night_report.memory(series)["growth"] == 0.0
    assert night_report.memory(changed(series, 3000.0, 3600.0, rss_mib=210.0))["growth"] == pytest.approx(0.05)


def test_drift_is_the_sound_received_beyond_a_hop() -> None:
    stats = {"hops": 100, "sample_rate_hz": 16000, "heard_samples": 100 * 800 + 799}
    assert night_report.drift([], stats, 800)["drift_samples"] == 0
    assert night_report.drift([], {**stats, "heard_samples": 99 * 800}, 800)["drift_samples"] == -800
    assert night_report.drift([], {**stats, "heard_samples": 101 * 800}, 800)["drift_samples"] == 800
    assert night_report.drift([], {"hops": 100, "sample_rate_hz": 16000}, 800)["drift_samples"] is None


def test_a_goal_is_reached_or_not_or_not_measured() -> None:
    figures = {"crashes": 0, "still_s": 1.2, "black_s": 0.0, "worst_age_back_s": 1.0, "normal_age_ms": None}
    figures |= {"memory": {"growth": 0.01}, "drift": {"drift_samples": None}}
    assert list(night_report.verdicts(figures).values()) == [True, False, True, None, True, None]


def test_the_plot_is_drawn(tmp_path: Path) -> None:
    fault = FaultRecord(name="hang", start_s=10.0, end_s=13.0, excuses=False)
    night_report.plot(tmp_path / "night.png", samples(60.0), [fault])
    assert (tmp_path / "night.png").stat().st_size > 10_000


def test_random_remotes_leave_the_frames_bright_and_moving() -> None:
    """Ten thousand random messages: no parameter ever gets a value that makes frames black or still."""
    generator, store = random.Random(3), ParameterStore(TABLE)
    server = OscServer(RemoteAccess(store), "127.0.0.1", 0)
    parameters = [parameter for parameter in TABLE if parameter.name not in EXCLUDED]
    begun = dict(store.values())
    for _ in range(10_000):
        came = datagram(generator, parameters)
        server.answer(came)
        for name, (low, high) in LIMITS.items():
            if name in store.values():
                assert low <= store.values()[name] <= high, name
    server.close()
    assert all(store.values()[name] == begun[name] for name in EXCLUDED)
    assert 1000 < server.counts.refused < 4500
    assert server.counts.clipped > 500
