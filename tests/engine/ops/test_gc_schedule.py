"""Garbage is collected between frames, and all of it in the end."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from engine.ops.gc_schedule import FULL_EVERY_S, LONGEST_DELAY_S, GcSchedule
from tests.engine.app.shows import InventedClock


class Cycle:
    """Refers to itself, so only a collection frees it."""

    def __init__(self) -> None:
        self.self = self


@pytest.fixture
def clock() -> InventedClock:
    return InventedClock()


@pytest.fixture
def schedule(clock: InventedClock) -> Iterator[GcSchedule]:
    schedule = GcSchedule(clock)
    yield schedule
    schedule.stop()
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_automatic_collection_stops_and_young_cycles_are_freed_in_spare_time(schedule: GcSchedule) -> None:
    schedule.start()
    assert not gc.isenabled()
    assert gc.get_freeze_count() > 1000
    cycles = [Cycle() for _ in range(2000)]
    last = weakref.ref(cycles[-1])
    cycles.clear()
    assert last() is not None
    schedule.collect(spare_s=0.02)
    assert last() is None
    collections = schedule.collections
    schedule.collect(spare_s=0.02)
    assert schedule.collections == collections


def test_old_cycles_are_freed_now_and_then(schedule: GcSchedule, clock: InventedClock) -> None:
    schedule.start()
    cycle = Cycle()
    last = weakref.ref(cycle)
    for _ in range(3):
        gc.collect(1)
    del cycle
    schedule.collect(0.02)
    assert last() is not None
    clock.sleep(FULL_EVERY_S + 1.0)
    schedule.collect(0.02)
    assert last() is None


def test_without_spare_time_a_full_collection_waits_but_not_for_ever(
    schedule: GcSchedule, clock: InventedClock
) -> None:
    schedule.start()
    clock.sleep(FULL_EVERY_S + 1.0)
    schedule.collect(-1.0)
    assert schedule.collections == 0
    clock.sleep(LONGEST_DELAY_S)
    schedule.collect(-1.0)
    assert schedule.collections == 1


def test_before_start_and_after_stop_python_collects_by_itself(schedule: GcSchedule) -> None:
    schedule.collect(1.0)
    with schedule:
        assert not gc.isenabled()
    assert gc.isenabled()
    assert schedule.collections == 0
