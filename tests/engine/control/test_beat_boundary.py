"""Where beats and bars begin, hop by hop."""

from __future__ import annotations

import pytest

from engine.audio.features.audio_features import AudioFeatures
from engine.control.beat_boundary import QUANTISE_CHOICES, BeatBoundaries
from engine.control.parameter_table import ShowValues


def passed(choice: str, beats: list[float], tempo_bpm: float = 120.0) -> list[bool]:
    boundaries, found = BeatBoundaries(), list[bool]()
    for beat in beats:
        boundaries.advance(AudioFeatures(beats=beat, tempo_bpm=tempo_bpm))
        found.append(boundaries.is_chosen(QUANTISE_CHOICES.index(choice)))
    return found


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("off", [True] * 7),
        ("beat", [True, False, True, True, False, True, True]),
        ("bar", [False, False, False, True, False, True, True]),
        ("4 bars", [False, False, False, False, False, False, True]),
    ],
)
def test_each_choice_has_its_boundaries(choice: str, expected: list[bool]) -> None:
    assert passed(choice, [1.5, 1.9, 2.0, 4.1, 4.2, 9.0, 16.0]) == expected


def test_without_a_tempo_and_after_a_jump_back() -> None:
    assert passed("4 bars", [0.0, 0.0], 0.0) == [True, True]
    assert passed("bar", [5.0, 2.0, 3.0, 4.0]) == [True, False, False, True]


def test_the_parameter_offers_the_same_choices() -> None:
    assert ShowValues.quantise.choices == QUANTISE_CHOICES
