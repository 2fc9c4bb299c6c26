"""What a night's samples say, from samples that were made up."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from benchmarks import night_report
from benchmarks.night_report import Happened, black, longest_run_s, recovery_s, still
from benchmarks.night_traffic import LEFT_ALONE, LIMITS, datagram
from benchmarks.night_watch import Sample
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import TABLE
from engine.control.remotes.osc import OscServer


def samples(seconds: float, **facts) -> list[Sample]:
    """A show that moves: five samples a second, all different."""
    whole = {"age_ms": 30.0, "fps": 20.0, "rss_mib": 200.0, "brightness": 200.0, **facts}
    return [Sample(at_s=round(k / 5, 3), signature=k, **whole) for k in range(round(5 * seconds))]


def changed(series: list[Sample], begin_s: float, end_s: float, **facts) -> list[Sample]:
    from dataclasses import replace

    return [replace(s, **facts) if begin_s <= s.at_s < end_s else s for s in series]


def test_a_picture_that_moves_is_never_still_and_one_that_stops_is() -> None:
    series = samples(10.0)
    assert longest_run_s(series, still, []) == 0.0
    series = changed(series, 4.0, 6.0, signature=7)
    assert longest_run_s(series, still, []) == pytest.approx(1.8)
    assert longest_run_s(series, still, [(4.0, 5.0)]) == pytest.approx(0.8)
    unseen = changed(series, 4.0, 6.0, signature=None)
    assert longest_run_s(unseen, still, []) == 0.0


def test_black_is_black_however_it_moves() -> None:
    series = changed(samples(10.0), 4.0, 6.0, brightness=3.0)
    assert longest_run_s(series, black, []) == pytest.approx(1.8)
    assert longest_run_s(samples(10.0), black, []) == 0.0


def test_recovery_is_when_the_age_has_been_normal_for_a_second() -> None:
    series = changed(changed(samples(10.0), 3.0, 4.0, age_ms=300.0), 4.5, 5.0, age_ms=300.0)
    assert recovery_s(series, 3.0, 30.0) == pytest.approx(2.0)
    assert recovery_s(series, 6.0, 30.0) == pytest.approx(0.0)
    assert recovery_s(changed(series, 6.0, 10.0, age_ms=None), 6.0, 30.0) is None


def test_faults_are_judged_one_by_one_and_summed_up_by_kind() -> None:
    faults = [
        Happened(name="hang", begin_s=10.0, end_s=13.0, excuses=False, said=("no sound", "back")),
        Happened(name="stop", begin_s=20.0, end_s=25.0, excuses=True),
        Happened(name="hang", begin_s=30.0, end_s=33.0, excuses=False),
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


def test_drift_is_what_was_heard_beyond_a_hop() -> None:
    stats = {"hops": 100, "sample_rate_hz": 16000, "heard_samples": 100 * 800 + 799}
    assert night_report.drift([], stats, 800)["drift_samples"] == 0
    assert night_report.drift([], {**stats, "heard_samples": 99 * 800}, 800)["drift_samples"] == -800
    assert night_report.drift([], {**stats, "heard_samples": 101 * 800}, 800)["drift_samples"] == 800
    assert night_report.drift([], {"hops": 100, "sample_rate_hz": 16000}, 800)["drift_samples"] is None


def test_what_is_to_be_reached_is_reached_or_not_or_not_measured() -> None:
    figures = {"crashes": 0, "still_s": 1.2, "black_s": 0.0, "worst_age_back_s": 1.0, "normal_age_ms": None}
    figures |= {"memory": {"growth": 0.01}, "drift": {"drift_samples": None}}
    assert list(night_report.verdicts(figures).values()) == [True, False, True, None, True, None]


def test_the_plot_is_drawn(tmp_path: Path) -> None:
    fault = Happened(name="hang", begin_s=10.0, end_s=13.0, excuses=False)
    night_report.plot(tmp_path / "night.png", samples(60.0), [fault])
    assert (tmp_path / "night.png").stat().st_size > 10_000


def test_random_remotes_leave_the_picture_bright_and_moving() -> None:
    """Ten thousand messages of strangers: no knob is ever where it would make the picture black or still."""
    rolled, store = random.Random(3), ParameterStore(TABLE)
    server = OscServer(store, "127.0.0.1", 0)
    knobs = [parameter for parameter in TABLE if parameter.name not in LEFT_ALONE]
    begun = dict(store.values())
    for _ in range(10_000):
        came = datagram(rolled, knobs)
        server.answer(came)
        for name, (low, high) in LIMITS.items():
            if name in store.values():
                assert low <= store.values()[name] <= high, name
    server.close()
    assert all(store.values()[name] == begun[name] for name in LEFT_ALONE)
    assert 1000 < server.counts.refused < 4500
    assert server.counts.clipped > 500
