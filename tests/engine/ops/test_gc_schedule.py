"""Garbage is collected between pictures, and all of it in the end."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref
from collections.abc import Iterator

import pytest

from engine.ops.gc_schedule import FULL_EVERY_S, LONGEST_DELAY_S, GcSchedule
from engine.ops.priority import raise_process
from tests.engine.app.shows import InventedClock


class Knot:
    """Refers to itself, so only a look finds it."""

    def __init__(self) -> None:
        self.self = self


@pytest.fixture
def clock() -> InventedClock:
    return InventedClock()


@pytest.fixture
def garbage(clock: InventedClock) -> Iterator[GcSchedule]:
    garbage = GcSchedule(clock)
    yield garbage
    garbage.end()
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_automatic_looks_stop_and_young_knots_go_when_there_is_time(garbage: GcSchedule) -> None:
    garbage.begin()
    assert not gc.isenabled()
    assert gc.get_freeze_count() > 1000
    knots = [Knot() for _ in range(2000)]
    last = weakref.ref(knots[-1])
    knots.clear()
    assert last() is not None
    garbage.rest(spare_s=0.02)
    assert last() is None
    looks = garbage.looks
    garbage.rest(spare_s=0.02)
    assert garbage.looks == looks


def test_old_knots_go_now_and_then(garbage: GcSchedule, clock: InventedClock) -> None:
    garbage.begin()
    knot = Knot()
    last = weakref.ref(knot)
    for _ in range(3):
        gc.collect(1)
    del knot
    garbage.rest(0.02)
    assert last() is not None
    clock.sleep(FULL_EVERY_S + 1.0)
    garbage.rest(0.02)
    assert last() is None


def test_without_time_to_spare_a_full_look_waits_but_not_for_ever(garbage: GcSchedule, clock: InventedClock) -> None:
    garbage.begin()
    clock.sleep(FULL_EVERY_S + 1.0)
    garbage.rest(-1.0)
    assert garbage.looks == 0
    clock.sleep(LONGEST_DELAY_S)
    garbage.rest(-1.0)
    assert garbage.looks == 1


def test_before_it_begins_and_after_its_end_python_collects_as_ever(garbage: GcSchedule) -> None:
    garbage.rest(1.0)
    with garbage:
        assert not gc.isenabled()
    assert gc.isenabled()
    assert garbage.looks == 0


@pytest.mark.skipif(not hasattr(os, "getpriority"), reason="no niceness here")
def test_priority_is_raised_or_not_but_never_an_error() -> None:
    tried = (
        "import os; from engine.ops.priority import raise_process; print(raise_process()); print(os.getpriority(0, 0))"
    )
    said, niceness = subprocess.check_output([sys.executable, "-c", tried], text=True).splitlines()
    assert said.startswith("priority raised") == (int(niceness) < os.getpriority(os.PRIO_PROCESS, 0))


@pytest.mark.skipif(not hasattr(os, "setpriority"), reason="no niceness here")
def test_where_it_is_forbidden_the_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "setpriority", refuse)
    monkeypatch.setattr(os, "getpriority", lambda *arguments: 0)
    assert (
        raise_process()
        == "priority not raised: Operation not permitted; allow it with Nice=-10 in the unit, or with a higher nice limit"
    )
