"""The figures of memory that the fuzzer tells: start-up growth is no leak."""

from __future__ import annotations

import pytest

from benchmarks.fuzzed_show import MIB, memory_growth


def test_memory_that_settles_has_a_growth_and_no_slope() -> None:
    settled = [100 * MIB + min(second, 60) * MIB // 10 for second in range(600)]
    figures = memory_growth(settled, 1.0)
    assert figures == {"warm_mib": 106.0, "end_mib": 106.0, "growth_percent": 0.0, "last_half_mib_an_hour": 0.0}


def test_memory_that_goes_on_growing_has_a_slope() -> None:
    figures = memory_growth([(1000 + second) * MIB // 10 for second in range(601)], 1.0)
    assert (figures["warm_mib"], figures["end_mib"]) == (106.0, 160.0)
    assert figures["last_half_mib_an_hour"] == pytest.approx(360.0, abs=0.5)


def test_a_short_run_warms_up_for_a_tenth_of_it() -> None:
    assert memory_growth([10 * MIB, 10 * MIB, 12 * MIB], 1.0)["growth_percent"] == 20.0
