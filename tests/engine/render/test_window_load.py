"""A window that the processor draws and that costs the show its steps."""

from __future__ import annotations

import pytest

from engine.core.notices import Notices
from engine.render.runtime import Runtime
from engine.render.statistics import ShowStatistics
from engine.render.window_load import PERIOD_S, WindowLoad
from tests.engine.app.shows import CollectingWindow, InventedClock

HOP_S = 0.05


class Played:
    """A show whose window takes `drawing_s` a frame, and of which every `every`-th hop is stepped."""

    def __init__(self, *, is_drawn_by_processor: bool = True, may_be_eased: bool = True) -> None:
        self.told: list[str] = []
        self.statistics, self.clock = ShowStatistics(), InventedClock()
        window = CollectingWindow(until=10**6)
        window.is_drawn_by_processor, window.may_be_eased = is_drawn_by_processor, may_be_eased
        notices = Notices(self.told.append)
        runtime = Runtime(clock=self.clock, statistics=self.statistics, notices=notices, live=True)
        self.load = WindowLoad([window], runtime)

    def play(self, seconds: float, *, every: int, drawing_s: float) -> None:
        for _ in range(round(seconds / HOP_S / every)):
            self.statistics.add_frame(every - 1, None, {})
            began_s = self.clock.now_s()
            self.clock.sleep(drawing_s)
            self.load.drew(began_s, self.clock.now_s())
            self.clock.sleep(every * HOP_S - drawing_s)


def test_it_is_told_once_and_drawn_less_often() -> None:
    played = Played()
    played.play(10 * PERIOD_S, every=2, drawing_s=0.03)
    (line,) = played.told
    assert "The window costs the show its steps: 30 of 60 were skipped in 3 s" in line
    assert "effects move with the model's frames from now on, and a smaller window helps more" in line
    assert played.load.is_eased


def test_what_the_user_chose_stays_and_is_named() -> None:
    played = Played(may_be_eased=False)
    played.play(4 * PERIOD_S, every=2, drawing_s=0.03)
    (line,) = played.told
    assert line.endswith("a smaller window or --upscale auto helps.")
    assert not played.load.is_eased


@pytest.mark.parametrize(
    ("is_drawn_by_processor", "every", "drawing_s"),
    [(False, 2, 0.03), (True, 1, 0.03), (True, 2, 0.001)],
    ids=["a graphics card draws", "no step is skipped", "drawing is quick"],
)
def test_where_the_window_is_not_at_fault_nothing_is_told(
    is_drawn_by_processor: bool, every: int, drawing_s: float
) -> None:
    played = Played(is_drawn_by_processor=is_drawn_by_processor)
    played.play(10 * PERIOD_S, every=every, drawing_s=drawing_s)
    assert (played.told, played.load.is_eased) == ([], False)


def test_a_slow_start_is_no_fault() -> None:
    played = Played()
    played.play(PERIOD_S, every=3, drawing_s=0.03)
    played.play(10 * PERIOD_S, every=1, drawing_s=0.03)
    assert played.told == []
