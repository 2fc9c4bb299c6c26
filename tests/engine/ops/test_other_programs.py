"""The share of other programs, from invented times and from this machine's."""

from __future__ import annotations

import pytest

from engine.core.clock import WallClock
from engine.ops.other_programs import OtherPrograms, ProcessorTime, read_processor_time
from tests.engine.app.shows import InventedClock

START = ProcessorTime(idle_s=1000.0, own_s=7.0)


@pytest.mark.parametrize(
    ("idle_s", "own_s", "share"),
    [(20.0, 0.0, 0.0), (0.0, 20.0, 0.0), (5.0, 5.0, 0.5), (0.0, 4.0, 0.8), (25.0, 0.0, 0.0), (-9.0, 0.0, 1.0)],
)
def test_what_is_neither_idle_nor_own_is_that_of_others(idle_s: float, own_s: float, share: float) -> None:
    clock = InventedClock()
    later = ProcessorTime(START.idle_s + idle_s, START.own_s + own_s)
    readings = iter((START, later, later))
    others = OtherPrograms(clock, cores=2, read=lambda: next(readings))
    clock.sleep(10.0)
    assert others.share() == pytest.approx(share)
    # Without time between two calls.
    assert others.share() == 0.0


def test_a_small_share_is_not_worth_a_sentence() -> None:
    clock = InventedClock()
    readings = iter((START, ProcessorTime(1016.0, 7.0), ProcessorTime(1018.0, 11.0)))
    others = OtherPrograms(clock, cores=2, read=lambda: next(readings))
    clock.sleep(10.0)
    assert others.sentence() == ""
    clock.sleep(10.0)
    assert (
        others.sentence()
        == " Other programs take 70 % of the processors: end them, or raise the show's priority (docs/service.md)."
    )


def test_this_machine_tells_its_times() -> None:
    others, before = OtherPrograms(WallClock()), read_processor_time()
    after = before
    # Until the clock of the process ticks: a hundred times a second at least.
    while after.own_s == before.own_s:
        after = read_processor_time()
    assert after.idle_s >= before.idle_s
    assert 0.0 <= others.share() <= 1.0
