"""Figures of a show, in bounded memory."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from engine.render.statistics import Durations, ShowStatistics


def test_percentiles_are_within_a_hundredth() -> None:
    durations, values_s = Durations(), np.random.default_rng(0).lognormal(-4.0, 1.0, 20000)
    for value_s in values_s:
        durations.add(float(value_s))
    for percent in (50, 95, 99):
        assert durations.percentile_s(percent) == pytest.approx(np.percentile(values_s, percent), rel=0.02)
    assert durations.summary()["max_ms"] == pytest.approx(values_s.max() * 1e3, abs=1e-3)


def test_odd_durations_are_counted_and_do_no_harm() -> None:
    durations = Durations()
    for value_s in (-1.0, 0.0, 1e-9, 1e9):
        durations.add(value_s)
    assert durations.summary()["count"] == 4
    assert Durations().summary()["p99_ms"] == 0.0


def test_memory_does_not_grow_with_the_show() -> None:
    stats = ShowStatistics()
    sizes: list[int] = []
    for index in range(20000):
        stats.add_frame(index % 2, 0.02 + index * 1e-6, {"step": 0.01})
        if index in (100, 19999):
            sizes.append(len(pickle.dumps(stats)))
    assert sizes[1] < 2 * sizes[0]


def test_the_summary_counts_everything(tmp_path: Path) -> None:
    stats = ShowStatistics()
    stats.add_frame(0, 0.030, {"step": 0.010, "wait": 0.040})
    stats.add_frame(3, 0.050, {"step": 0.020, "wait": 0.001})
    stats.add_frame(0, None, {})
    stats.add_shown(0.060)
    stats.lost_frames["show.mp4"] = 2
    stats.write_json(tmp_path / "stats.json")
    figures = json.loads((tmp_path / "stats.json").read_text())
    assert (figures["steps"], figures["hops"], figures["skipped_hops"]) == (3, 6, 3)
    assert figures["handed_age"]["max_ms"] == 50.0
    assert figures["handed_age"]["count"] == 2
    assert figures["shown_age"]["p50_ms"] == pytest.approx(60.0, rel=0.01)
    assert figures["stages"]["step"]["max_ms"] == 20.0
    assert figures["lost_frames"] == {"show.mp4": 2}
