"""CLIPSIM, IT and IA by hand: which frames count, beside which label and sound."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.core.errors import TrainingError
from tests.training.evaluation.renders.rendered_clips import clips, like_sound
from training.evaluation.renders.clip_pairs import ClipPair, read_pair
from training.evaluation.renders.likenesses import CLIPSIM, IA, IT, Likeness, Likenesses

FRAMES = 12


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[ClipPair]:
    folder = tmp_path_factory.mktemp("clips")
    rendered, real = clips(folder / "rendered", (0, 1), grain=20.0), clips(folder / "real", (0, 1))
    return [read_pair(*both, None, label) for *both, label in zip(rendered, real, ("drum", "violin"), strict=True)]


def numbered(frames_THWC, text):
    """0, 1, 2, … and a tenth of the letters of the text."""
    assert frames_THWC.shape[1:] == (224, 224, 3)
    return np.arange(len(frames_THWC)) + len(text) / 10.0


def measured(pairs: list[ClipPair], metric: str, function):
    likenesses = Likenesses([Likeness(metric, function, "f")])
    for pair, other in zip(pairs, reversed(pairs), strict=True):
        likenesses.add(pair, None if len(pairs) == 1 else other, *pair.pixels_THWC())
    return likenesses.measures()[0]


def test_clipsim_is_the_mean_over_all_frames(pairs: list[ClipPair]) -> None:
    found = measured(pairs, CLIPSIM, numbered)
    usual = sum(range(FRAMES)) / FRAMES
    assert found.name == "CLIPSIM (f)"
    assert found.each == pytest.approx((usual + 0.4, usual + 0.6))
    assert found.value == found.floor == found.ceiling == pytest.approx(usual + 0.5)


def test_it_leaves_out_the_first_frame_and_is_given_times_a_hundred(pairs: list[ClipPair]) -> None:
    found = measured(pairs, IT, numbered)
    usual = 100.0 * sum(range(1, FRAMES)) / (FRAMES - 1)
    assert found.each == pytest.approx((usual + 40.0, usual + 60.0))


def test_the_floor_has_the_other_label(pairs: list[ClipPair]) -> None:
    def of_drums(frames_THWC, text):
        return np.full(len(frames_THWC), float(text == "drum"))

    found = measured(pairs, CLIPSIM, of_drums)
    assert found.each == (1.0, 0.0)
    assert found.floor == 0.5
    alike = [ClipPair(pair.film, pair.real, "drum") for pair in pairs]
    assert math.isnan(measured(alike, CLIPSIM, of_drums).floor)
    assert math.isnan(measured(pairs[:1], CLIPSIM, of_drums).floor)


def test_without_labels_clipsim_is_undefined(pairs: list[ClipPair]) -> None:
    found = measured([ClipPair(pair.film, pair.real) for pair in pairs], CLIPSIM, numbered)
    assert math.isnan(found.value)
    assert found.clips == 0


def test_ia_compares_frames_with_the_clips_own_sound(pairs: list[ClipPair]) -> None:
    found = measured(pairs, IA, like_sound)
    rendered, real = pairs[0].pixels_THWC()
    loudness = float(np.sqrt(np.square(pairs[0].film.sound_S).mean()))
    brightness = rendered[1:].mean(axis=(1, 2, 3)) / 255.0
    assert found.each[0] == pytest.approx(100.0 * float((1.0 - np.abs(brightness - loudness)).mean()), abs=0.5)
    assert found.ceiling != found.value
    assert real.shape == rendered.shape == (FRAMES, 64, 64, 3)


def test_ia_has_the_sound_of_the_other_clip_as_floor(pairs: list[ClipPair]) -> None:
    heard: list[float] = []

    def remember(frames_THWC, sound_S, rate_hz):
        assert (len(sound_S), rate_hz) == (32_000, 16_000)
        heard.append(float(sound_S.sum()))
        return np.zeros(len(frames_THWC))

    measured(pairs, IA, remember)
    own = [float(pair.film.sound_S.sum()) for pair in pairs]
    assert [heard[0], heard[1]] == own
    assert [heard[3], heard[4]] == own[::-1]


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (
            lambda frames, text: np.zeros((len(frames), 1)),
            r"CLIPSIM \(f\) returned values of shape \[12, 1\] for 12 frames",
        ),
        (lambda frames, text: 0.5, r"shape \[\] for 12 frames; one finite number for each"),
        (lambda frames, text: np.full(len(frames), np.nan), "one finite number for each"),
        (lambda frames, text: None, r"shape \[\]|is no array of numbers"),
        (lambda frames, text: {"cosines": 1}, "returned dict that is no array of numbers"),
        (lambda frames, text: [[1.0], [1.0, 2.0]], "is no array of numbers"),
    ],
)
def test_a_function_that_answers_wrongly_is_one_sentence(function, sentence: str, pairs: list[ClipPair]) -> None:
    with pytest.raises(TrainingError, match=sentence):
        measured(pairs, CLIPSIM, function)
