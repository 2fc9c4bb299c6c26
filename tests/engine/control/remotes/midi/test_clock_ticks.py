"""When timing clocks are due, in invented time."""

from __future__ import annotations

from itertools import pairwise

import pytest

from engine.control.remotes.midi.clock_ticks import FASTEST, SLOWEST, ClockTicks, Transport

BEAT_S, TICK_S = 0.5, 0.5 / 24


def due_times(ticks: ClockTicks, count: int) -> list[float]:
    times = list[float]()
    for _ in range(count):
        due_s = ticks.due_s()
        assert due_s is not None
        times.append(due_s)
        ticks.sent(due_s)
    return times


def test_each_beat_of_the_show_is_the_first_of_24_clocks() -> None:
    ticks = ClockTicks()
    ticks.follow(10.0, 3.5, 120.0)
    times = due_times(ticks, 48)
    assert times[0] == pytest.approx(10.0)
    # The beat 4 comes half a beat later: its clock is the thirteenth.
    assert times[12] == pytest.approx(10.25)
    assert times[1] - times[0] == pytest.approx(TICK_S)


def test_reports_that_tremble_barely_move_the_clocks() -> None:
    ticks, times = ClockTicks(), list[float]()
    now_s = 0.0
    for number in range(400):
        trembling = 0.004 * (-1) ** number
        ticks.follow(now_s, now_s / BEAT_S + trembling / BEAT_S, 120.0)
        while (due_s := ticks.due_s()) is not None and due_s < now_s + 0.05:
            times.append(due_s)
            ticks.sent(due_s)
        now_s += 0.05
    late_s = [time_s - TICK_S * number for number, time_s in enumerate(times)]
    assert max(late_s[48:]) - min(late_s[48:]) < 0.001


def test_a_beat_that_jumps_is_caught_up_with_and_no_clock_is_doubled() -> None:
    ticks = ClockTicks()
    ticks.follow(0.0, 0.0, 120.0)
    due_times(ticks, 24)
    # A tap puts the beat a third further on.
    ticks.follow(0.5, 1.33, 120.0)
    times = due_times(ticks, 96)
    distances = [after - before for before, after in pairwise(times)]
    assert min(distances) >= FASTEST * TICK_S - 1e-9
    assert max(distances) <= SLOWEST * TICK_S + 1e-9
    # Clock 120 is beat 5, which comes at 0.5 + (5 - 1.33) / 2 s.
    assert ticks.due_s() == pytest.approx(0.5 + (5 - 1.33) * BEAT_S)


def test_bars_that_are_skipped_are_not_sent_again() -> None:
    ticks = ClockTicks()
    ticks.follow(0.0, 0.0, 120.0)
    due_times(ticks, 24)
    ticks.follow(0.5, 1.0 + 400.0, 120.0)
    assert ticks.due_s() == pytest.approx(0.5)


def test_no_tempo_no_clock() -> None:
    ticks = ClockTicks()
    assert ticks.due_s() is None
    ticks.follow(0.0, 0.0, 120.0)
    due_times(ticks, 5)
    ticks.follow(1.0, 0.5, 0.0)
    assert ticks.due_s() is None
    ticks.follow(60.0, 0.5, 120.0)
    assert ticks.due_s() == pytest.approx(60.0)


def run(transport: Transport, ticks: ClockTicks, count: int) -> list[tuple[int, list[int]]]:
    """Return the messages before each of the next clocks, with the clock's number."""
    sent = list[tuple[int, list[int]]]()
    for number in range(count):
        sent += [(number, message) for message in transport.before_clock(ticks)]
        due_s = ticks.due_s()
        assert due_s is not None
        ticks.sent(due_s)
    return sent


def test_sequencers_start_at_a_bar_stop_at_once_and_go_on_where_they_were() -> None:
    ticks, transport = ClockTicks(), Transport()
    ticks.follow(0.0, 1.0, 120.0)
    assert run(transport, ticks, 24) == []
    assert transport.want(True) == []
    # Beat 2 is next, and the bar is beat 4.
    assert run(transport, ticks, 96 + 96 + 24) == [(48, [0xFA])]
    assert transport.want(True) == []
    assert transport.want(False) == [[0xFC]]
    assert transport.want(False) == []
    transport.want(True)
    # It was in the second bar of the song, which begins at sixteenth 16.
    assert run(transport, ticks, 96) == [(24, [0xF2, 16, 0]), (24, [0xFB])]
    assert transport.rewind() == [[0xFC]]
    assert run(transport, ticks, 96)[0][1] == [0xFA]
