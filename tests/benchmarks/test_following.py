"""Brightness that goes along with the level of a sound is told from one that does not."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.following import GRID_FPS, Brightness, brightness_of, followed_others, following
from benchmarks.swelling_scene import SIDE, brightness, colour_of, frames, levels, made_sound

SECONDS = 12.0


def sound(seed: int) -> np.ndarray:
    return made_sound(np.random.default_rng(seed), SECONDS)


def test_a_film_of_the_scene_follows_its_own_sound_and_no_other() -> None:
    sound_S = sound(1)
    film = brightness_of(frames(levels(sound_S, 6), colour_of(np.random.default_rng(0))), 6)
    own, other = following(film, sound_S), following(film, sound(2))
    assert own.correlation > 0.9
    assert abs(own.delay_s) <= 1 / GRID_FPS
    assert other.correlation < 0.5
    assert own.swing == other.swing > 20.0
    assert followed_others([film, film], [sound(2), sound(2)]) == pytest.approx(other.correlation)


@pytest.mark.parametrize("late", [0, 4, 10])
def test_the_delay_is_found(late: int) -> None:
    sound_S = sound(3)
    level_F = levels(sound_S, GRID_FPS)
    window_F = np.convolve(level_F, np.ones(4) / 4)[3:]
    bright_F = np.concatenate([np.zeros(late), window_F])[: len(window_F)]
    found = following(Brightness(np.arange(len(bright_F)) / GRID_FPS, bright_F), sound_S)
    assert found.correlation == pytest.approx(1.0)
    assert found.delay_s == pytest.approx(late / GRID_FPS)


def test_the_level_is_that_of_the_teacher_s_frames() -> None:
    sound_S = sound(4)
    film = brightness_of(frames(levels(sound_S, 12), colour_of(np.random.default_rng(0))), 12)
    assert following(film, sound_S, 12).correlation > max(0.95, following(film, sound_S, 6).correlation)


def test_what_does_not_move_follows_nothing() -> None:
    assert following(Brightness(np.arange(72) / 6, np.full(72, 50.0)), sound(1)).correlation == 0.0


def test_a_louder_sound_makes_a_larger_disc() -> None:
    made = frames(np.array([0.0, 0.5, 1.0]), np.array([240.0, 150.0, 50.0]))
    assert made.shape == (3, SIDE, SIDE, 3)
    assert (np.diff(brightness(made)) > 10.0).all()


def test_sounds_have_the_length_that_is_asked_for_and_differ() -> None:
    assert len(sound(1)) == round(SECONDS * 16000)
    assert np.array_equal(sound(1), sound(1))
    assert not np.array_equal(sound(1), sound(2))
    level_F = np.concatenate([levels(sound(seed), 6) for seed in range(4)])
    assert level_F.min() == 0.0
    assert level_F.max() > 0.9
