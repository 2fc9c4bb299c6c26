"""Resets at the bar."""

from __future__ import annotations

from engine.audio.features.audio_features import AudioFeatures
from engine.control.bar_reset import BarReset
from engine.control.parameter_store import ControlSnapshot


def counts(asked: list[int], beats: list[float], tempo_bpm: float = 120.0) -> list[int]:
    bar_reset = BarReset()
    return [
        bar_reset.count({"reset_on_bar": number}, AudioFeatures(beats=beat, tempo_bpm=tempo_bpm))
        for number, beat in zip(asked, beats, strict=True)
    ]


def test_a_reset_waits_for_the_next_bar() -> None:
    assert counts([0, 1, 1, 1, 1, 1, 1], [1.0, 2.0, 3.0, 3.9, 4.0, 5.0, 8.1]) == [0, 0, 0, 0, 1, 1, 1]


def test_asked_for_at_the_beginning_of_a_bar_it_comes_at_once() -> None:
    assert counts([0, 1, 1], [3.9, 4.01, 5.0]) == [0, 1, 1]


def test_each_request_counts_and_several_within_a_bar_are_one() -> None:
    assert counts([0, 2, 3, 3, 4, 4], [1.0, 2.0, 3.0, 4.0, 7.0, 8.0]) == [0, 0, 0, 1, 1, 2]


def test_a_take_has_the_resets_that_came() -> None:
    bar_reset, kept = BarReset(), []
    for requested, beats in ((0, 2.0), (1, 3.0), (1, 4.0), (1, 5.0)):
        snapshot = ControlSnapshot({"reset": 7, "reset_on_bar": requested, "glow": 0.5}, ())
        bar_reset.count(snapshot.values, AudioFeatures(beats=beats, tempo_bpm=120.0))
        kept.append(dict(bar_reset.as_came(snapshot).values))
    assert [values["reset"] for values in kept] == [7, 7, 8, 8]
    assert all(values == {"reset": values["reset"], "reset_on_bar": 0, "glow": 0.5} for values in kept)


def test_without_a_tempo_there_is_nothing_to_wait_for() -> None:
    assert counts([0, 1, 1], [0.0, 0.0, 0.0], tempo_bpm=0.0) == [0, 1, 1]


def test_a_request_does_not_wait_after_the_tempo_is_lost() -> None:
    bar_reset = BarReset()
    assert bar_reset.count({"reset_on_bar": 1}, AudioFeatures(beats=1.0, tempo_bpm=120.0)) == 0
    assert bar_reset.count({"reset_on_bar": 1}, AudioFeatures(beats=1.0)) == 1


def test_beats_that_jump_back_begin_no_bar() -> None:
    assert counts([0, 1, 1, 1], [9.0, 10.0, 2.0, 4.0]) == [0, 0, 0, 1]


def test_a_bar_has_as_many_beats_as_the_audio_features_say() -> None:
    bar_reset = BarReset()
    assert [
        bar_reset.count({"reset_on_bar": 1}, AudioFeatures(beats=beat, beats_a_bar=3, tempo_bpm=90.0))
        for beat in (1, 2.9, 3)
    ] == [0, 0, 1]
