"""The pace of sound that comes in bursts: what waits, what becomes silence, and what is skipped."""

from __future__ import annotations

import pytest

from engine.audio.sources.playout import RESERVE, SPARE_S, WATCHED_S, Playout, Turn
from engine.audio.sources.watchdog import BEGINS_WITHIN_S, STALL_S

RATE_HZ = 48000
TURN_S = 0.005


class Listener:
    """Takes turns every 5 ms and counts what they give."""

    def __init__(self, skips: bool = True) -> None:
        self.playout = Playout(RATE_HZ, 0.0, skips=skips)
        self.now_s = 0.0
        self.played = self.silent = self.skipped = 0
        self.stalls = self.longest_turn = 0

    def listen(self, seconds: float, burst_s: float = 0.02, pace: float = 1.0) -> None:
        """Let bursts of `burst_s` arrive for `seconds`, `pace` times as fast as they sound; 0 sends nothing."""
        sent_s = 0.0
        begun_s = self.now_s
        for _ in range(round(seconds / TURN_S)):
            self.now_s += TURN_S
            while pace and sent_s + burst_s <= (self.now_s - begun_s) * pace + 1e-9:
                self.playout.add(round(burst_s * RATE_HZ), self.now_s)
                sent_s += burst_s
            was_stalled = self.playout.stalled
            turn = self.playout.play(self.now_s)
            self.played += turn.played
            self.longest_turn = max(self.longest_turn, turn.played + turn.silent)
            self.silent += turn.silent
            self.skipped += turn.skipped
            self.stalls += self.playout.stalled and not was_stalled

    def gave_s(self) -> float:
        return (self.played + self.silent) / RATE_HZ


@pytest.mark.parametrize("burst_s", [0.005, 0.02, 0.18, 0.4])
def test_bursts_are_played_evenly_and_whole(burst_s: float) -> None:
    listener = Listener()
    listener.listen(2 * burst_s, burst_s)
    silent_at_first = listener.silent
    listener.listen(60.0, burst_s)
    assert (listener.skipped, listener.stalls, listener.silent) == (0, 0, silent_at_first)
    assert listener.played / RATE_HZ == pytest.approx(60.0, abs=2 * burst_s + TURN_S)
    assert listener.playout.ready_s <= burst_s + TURN_S
    assert listener.longest_turn <= TURN_S * RATE_HZ + 1


def test_a_late_burst_makes_all_sound_wait_once() -> None:
    """The second time the same delay does no harm."""
    listener = Listener(skips=False)
    listener.listen(1.0)
    before_s = listener.playout.ready_s
    listener.listen(0.3, pace=0.0)
    listener.playout.add(round(0.3 * RATE_HZ), listener.now_s)
    listener.listen(1.0)
    assert listener.playout.ready_s == pytest.approx(before_s + 0.3, abs=0.03)
    gave_s = listener.gave_s()
    listener.listen(0.25, pace=0.0)
    assert listener.gave_s() - gave_s == pytest.approx(0.25, abs=TURN_S)
    assert listener.stalls == 0


def test_until_sound_comes_and_in_a_stall_there_is_silence_at_the_pace_of_the_clock() -> None:
    listener = Listener()
    listener.listen(BEGINS_WITHIN_S - 0.1, pace=0.0)
    assert not listener.playout.stalled
    assert listener.silent / RATE_HZ == pytest.approx(BEGINS_WITHIN_S - 0.1, abs=TURN_S)
    listener.listen(1.0)
    assert listener.stalls == 0
    silent = listener.silent
    listener.listen(10.0, pace=0.0)
    assert listener.playout.stalled
    assert (listener.silent - silent) / RATE_HZ == pytest.approx(10.0 - STALL_S, abs=0.05)
    listener.listen(1.0)
    assert not listener.playout.stalled
    assert listener.stalls == 1


def test_a_feed_that_ran_ahead_is_brought_back() -> None:
    listener = Listener()
    listener.listen(20.0)
    listener.playout.add(round(1.5 * RATE_HZ), listener.now_s)
    listener.listen(2 * WATCHED_S + 1.0)
    assert listener.skipped / RATE_HZ == pytest.approx(1.5 - RESERVE * SPARE_S, abs=0.05)
    assert listener.playout.ready_s < SPARE_S


def test_what_was_sent_before_the_start_is_skipped_within_seconds() -> None:
    listener = Listener()
    listener.playout.add(round(1.8 * RATE_HZ), listener.now_s)
    listener.listen(2.0)
    assert listener.playout.ready_s < SPARE_S


def test_a_radio_and_a_program_that_sends_too_fast_lose_nothing() -> None:
    radio = Listener(skips=False)
    radio.playout.add(round(4.0 * RATE_HZ), radio.now_s)
    radio.listen(30.0)
    assert (radio.skipped, radio.silent) == (0, 0)
    program = Listener()
    for _ in range(60):
        program.playout.add(round((2.0 - program.playout.ready_s) * RATE_HZ), program.now_s)
        program.playout.note_wait()
        program.listen(0.5, pace=0.0)
    assert program.skipped == 0
    assert program.played / RATE_HZ == pytest.approx(30.0, abs=0.01)


@pytest.mark.parametrize("pause_s", [0.6, 1.5, 4.0])
def test_a_program_that_sends_a_sentence_at_a_time_loses_nothing(pause_s: float) -> None:
    """It may lie ready for long: while it is played, and then there is a pause."""
    speaker = Listener()
    sent_s = 0.0
    for _ in range(8):
        speaker.playout.add(round(1.5 * RATE_HZ), speaker.now_s)
        sent_s += 1.5
        speaker.listen(pause_s, pace=0.0)
    speaker.listen(8 * 1.5, pace=0.0)
    assert speaker.skipped == 0
    assert speaker.played / RATE_HZ == pytest.approx(sent_s)


def test_a_clock_that_is_slower_or_faster_is_followed() -> None:
    for pace in (0.998, 1.002):
        listener = Listener()
        listener.listen(300.0, pace=pace)
        assert listener.stalls == 0
        assert (listener.played + listener.skipped) / RATE_HZ == pytest.approx(300.0 * pace, abs=SPARE_S + 0.05)
        assert listener.playout.ready_s < SPARE_S + 0.05


def test_after_a_sleep_of_the_machine_sound_continues_where_it_stopped() -> None:
    listener = Listener()
    listener.listen(2.0)
    gave_s = listener.gave_s()
    listener.now_s += 3600.0
    listener.listen(1.0)
    assert listener.gave_s() - gave_s == pytest.approx(1.0, abs=0.05)


def test_what_is_left_at_the_end_is_played_without_silence_after_it() -> None:
    playout = Playout(RATE_HZ, 0.0, skips=True)
    playout.add(1000, 0.0)
    assert playout.play(0.5, has_ended=True) == Turn(skipped=0, played=1000, silent=0)
