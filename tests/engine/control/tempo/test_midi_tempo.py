"""The tempo of a MIDI clock, from ticks at invented times."""

from __future__ import annotations

import random

import pytest

from engine.control.remotes.midi.clock import ClockMessage
from engine.control.tempo.midi_tempo import LOST_S, MidiTempo

TICK_120_S = 60.0 / 120.0 / 24


class Sequencer:
    """Sends a clock with jitter to a follower."""

    def __init__(self, follower: MidiTempo, jitter_s: float = 0.0, seed: int = 1) -> None:
        self.follower, self.jitter_s, self.random = follower, jitter_s, random.Random(seed)
        self.now_s = 100.0
        self.ticks = 0

    def send(self, kind: str, sixteenths: int = 0) -> None:
        self.follower(ClockMessage(kind, self.now_s, "in", sixteenths))  # type: ignore[arg-type]

    def play(self, ticks: int, tick_s: float = TICK_120_S) -> None:
        for _ in range(ticks):
            at_s = self.now_s + self.random.uniform(-self.jitter_s, self.jitter_s)
            self.follower(ClockMessage("tick", at_s, "in"))
            self.now_s += tick_s
            self.ticks += 1

    def off_s(self, bpm: float = 120.0) -> float:
        """Return how far the follower is from the sequencer's next tick."""
        position = self.follower.position(self.now_s)
        assert position
        off_beats = position.beats_at(self.now_s) - self.ticks / 24
        return off_beats * 60.0 / bpm


@pytest.mark.parametrize("seed", range(8))
def test_ticks_with_jitter_give_a_steady_tempo_and_phase(seed: int) -> None:
    follower = MidiTempo()
    sequencer = Sequencer(follower, 0.002, seed)
    sequencer.send("start")
    sequencer.play(8 * 24)
    for _ in range(200):
        sequencer.play(7)
        position = follower.position(sequencer.now_s)
        assert position
        assert position.bpm == pytest.approx(120.0, abs=0.1)
        assert abs(sequencer.off_s()) < 0.005
        assert position.is_bar_known


def test_half_a_beat_of_ticks_gives_a_tempo_and_fewer_none() -> None:
    follower = MidiTempo()
    sequencer = Sequencer(follower)
    sequencer.play(11)
    assert follower.position(sequencer.now_s) is None
    sequencer.play(1)
    position = follower.position(sequencer.now_s)
    assert position
    assert position.bpm == pytest.approx(120.0)
    assert not position.is_bar_known


@pytest.mark.parametrize("bpm", [60.0, 119.0, 121.0, 140.0, 180.0])
def test_another_tempo_is_followed_within_four_beats(bpm: float) -> None:
    follower = MidiTempo()
    sequencer = Sequencer(follower, 0.001)
    sequencer.send("start")
    sequencer.play(240)
    sequencer.play(96, 60.0 / bpm / 24)
    position = follower.position(sequencer.now_s)
    assert position
    assert position.bpm == pytest.approx(bpm, abs=0.5)
    assert abs(sequencer.off_s(bpm)) < 0.005


def test_a_start_begins_a_bar_and_a_song_position_counts_sixteenths() -> None:
    follower = MidiTempo()
    sequencer = Sequencer(follower)
    sequencer.play(31)
    sequencer.send("start")
    sequencer.ticks = 0
    sequencer.play(5)
    assert abs(sequencer.off_s()) < 1e-6
    sequencer.send("stop")
    assert follower.position(sequencer.now_s) is None
    sequencer.send("position", 9)
    sequencer.play(10)
    assert follower.position(sequencer.now_s) is None
    sequencer.send("continue")
    sequencer.ticks = 9 * 6
    sequencer.play(3)
    assert abs(sequencer.off_s()) < 1e-6


def test_it_continues_where_it_stopped() -> None:
    follower = MidiTempo()
    sequencer = Sequencer(follower)
    sequencer.send("start")
    sequencer.play(30)
    sequencer.send("stop")
    sequencer.play(17)
    sequencer.send("continue")
    sequencer.ticks = 30
    sequencer.play(4)
    assert abs(sequencer.off_s()) < 1e-6


def test_a_sequencer_that_falls_silent_is_gone_and_another_port_takes_over() -> None:
    follower = MidiTempo()
    sequencer = Sequencer(follower)
    sequencer.play(48)
    follower(ClockMessage("tick", sequencer.now_s, "other"))
    assert follower.position(sequencer.now_s)
    assert follower.position(sequencer.now_s + 2 * LOST_S) is None
    for number in range(24):
        follower(ClockMessage("tick", sequencer.now_s + 2.0 + number * 60.0 / 90.0 / 24, "other"))
    position = follower.position(sequencer.now_s + 2.0 + 60.0 / 90.0)
    assert position
    assert position.bpm == pytest.approx(90.0)


def test_the_transport_is_told() -> None:
    told: list[bool] = []
    sequencer = Sequencer(MidiTempo(told.append))
    for kind in ("start", "stop", "continue", "position"):
        sequencer.send(kind)
    assert told == [True, False, True]
