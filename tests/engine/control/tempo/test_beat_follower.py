"""Clocks outside become points of the beat clock: which of them leads, when a point is given, and what the beat clock makes of it."""

from __future__ import annotations

import numpy as np
import pytest

from engine.audio.features.analyser import FeatureAnalyser
from engine.audio.features.beat_clock import BeatPoint
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import TABLE
from engine.control.tempo.beat_follower import BeatFollower, FollowedSound
from engine.control.tempo.tempo_input import TempoPosition
from tests.engine.app.shows import InventedClock

RATE_HZ = 16000
ROUND_S = 0.02


class Outside:
    """A clock outside that runs evenly while it is there."""

    def __init__(self, name: str, bpm: float, beats: float = 0.0, is_bar_known: bool = True) -> None:
        self.name, self.bpm, self.beats, self.is_bar_known = name, bpm, beats, is_bar_known
        self.is_there = True

    def position(self, now_s: float) -> TempoPosition | None:
        if not self.is_there:
            return None
        return TempoPosition(now_s, self.beats + now_s * self.bpm / 60.0, self.bpm, self.is_bar_known)


class Stage:
    """Silence that arrives evenly, its beat clock, and clocks outside."""

    def __init__(self, *outside: Outside, latency_s: float = 0.0, **values: object) -> None:
        self.now_s = 0.0
        self.latency_s = latency_s
        self.samples = 0
        self.points: list[BeatPoint] = []
        self.store = ParameterStore(TABLE, values)
        self.analyser = FeatureAnalyser(RATE_HZ)
        sound = FollowedSound(RATE_HZ, self.newest_sample, self.store.values, self.take)
        self.follower = BeatFollower(sound, outside, InventedClock())

    def newest_sample(self) -> tuple[float, float] | None:
        return (self.samples, self.now_s - self.latency_s) if self.samples else None

    def take(self, point: BeatPoint) -> None:
        self.points.append(point)
        self.analyser.follow([point])

    def play(self, seconds: float) -> None:
        for _ in range(round(seconds / ROUND_S)):
            self.analyser.feed(np.zeros(round(ROUND_S * RATE_HZ), np.float32))
            self.samples += round(ROUND_S * RATE_HZ)
            self.now_s += ROUND_S
            self.follower.attend(self.now_s)

    def off_beats(self, outside: Outside, every: int = 4) -> float:
        """Return how far the beat clock is from a clock outside, at the time at which the newest frame was captured."""
        latest = self.analyser.latest()
        captured_s = self.now_s - self.latency_s - (self.samples - latest.end_sample) / RATE_HZ
        there = outside.position(self.now_s)
        assert there
        return (latest.beats - there.beats_at(captured_s) + 0.5 * every) % every - 0.5 * every


@pytest.mark.parametrize("latency_s", [0.0, 0.03])
def test_the_beat_follows_a_clock_at_the_time_of_capture(latency_s: float) -> None:
    link = Outside("link", 128.0, 2.3)
    stage = Stage(link, latency_s=latency_s)
    stage.play(3.0)
    assert stage.off_beats(link) == pytest.approx(0.0, abs=0.002)
    assert stage.analyser.latest().tempo_bpm == pytest.approx(128.0)
    assert stage.analyser.latest().certainty == 1.0
    assert stage.follower.following == "link"
    assert len(stage.points) < 8


def test_a_small_error_is_corrected_by_speed_and_a_large_one_by_a_jump_and_the_beat_never_goes_back() -> None:
    link = Outside("link", 120.0)
    stage = Stage(link)
    stage.play(2.0)
    for shift in (-0.2, 0.3, 1.7, -1.2):
        link.beats += shift
        before = stage.analyser.latest().beats
        for _ in range(100):
            stage.play(ROUND_S)
            assert stage.analyser.latest().beats >= before
            before = stage.analyser.latest().beats
        assert stage.off_beats(link) == pytest.approx(0.0, abs=0.005)


def test_a_clock_that_does_not_know_the_bar_moves_the_beat_alone() -> None:
    os2l = Outside("os2l", 90.0, 3.25, is_bar_known=False)
    stage = Stage(os2l)
    stage.play(3.0)
    assert stage.off_beats(os2l, 1) == pytest.approx(0.0, abs=0.002)


def test_the_best_clock_that_is_there_leads() -> None:
    link, midi, os2l = Outside("link", 100.0), Outside("midi", 110.0), Outside("os2l", 120.0)
    stage = Stage(os2l, midi, link)
    followed = []
    for absent in (None, link, midi, os2l):
        if absent:
            absent.is_there = False
        stage.play(0.1)
        followed.append((stage.follower.following, stage.points[-1].bpm))
    assert followed == [("link", 100.0), ("midi", 110.0), ("os2l", 120.0), ("", 0.0)]


@pytest.mark.parametrize(
    ("source", "expected"), [("midi", "midi"), ("link", "link"), ("os2l", ""), ("tap", ""), ("sound", "")]
)
def test_a_named_source_leads_alone(source: str, expected: str) -> None:
    stage = Stage(Outside("link", 100.0), Outside("midi", 110.0), tempo_source=source)
    stage.play(0.1)
    assert stage.follower.following == expected
    assert bool(stage.points) is bool(expected)


def test_a_tempo_that_was_given_counts_again_once_the_clock_is_lost() -> None:
    midi = Outside("midi", 140.0)
    stage = Stage(midi)
    stage.analyser.set_tempo(100.0, 0)
    stage.play(1.0)
    stage.analyser.tap(stage.samples - 9000, stage.samples - 1000)
    stage.play(1.0)
    assert stage.analyser.latest().tempo_bpm == pytest.approx(140.0)
    midi.is_there = False
    stage.play(0.1)
    assert stage.analyser.latest().tempo_bpm == pytest.approx(100.0)


@pytest.mark.parametrize("bpm", [0.0, 0.5, 5000.0, float("nan")])
def test_an_impossible_tempo_is_not_followed(bpm: float) -> None:
    stage = Stage(Outside("midi", bpm))
    stage.play(0.2)
    assert stage.points == []


def test_without_sound_there_is_no_point() -> None:
    stage = Stage(Outside("midi", 120.0))
    stage.follower.attend(0.0)
    assert stage.points == []
