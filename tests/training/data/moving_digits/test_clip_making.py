"""Clips of moving digits: what is seen, what is heard and what the labels say are one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from engine.core.errors import TrainingError
from training.data.moving_digits.clip_making import make_clip
from training.data.moving_digits.digit_images import drawn_digits
from training.data.moving_digits.labels import ClipLabels
from training.data.moving_digits.recipe import MadeClip, Recipe
from training.data.moving_digits.tones import EDGE_KEY, OBSTACLE_KEY, frequencies_hz, key_tones

RECIPE = Recipe(seconds=6.0)
PLAIN = dataclasses.replace(RECIPE, has_obstacle=False)
IMAGES = drawn_digits().part("train")


def made(recipe: Recipe = RECIPE, number: int = 0, seed: int = 0) -> MadeClip:
    return make_clip(recipe, IMAGES, seed, "train", number)


def places(labels: ClipLabels) -> np.ndarray:
    return np.array(labels.places)


def test_the_same_seed_gives_the_same_clip_and_any_other_another() -> None:
    assert made().digest() == made().digest()
    others = [made(number=1), made(seed=1), make_clip(RECIPE, IMAGES, 0, "test", 0), made(PLAIN)]
    assert len({made().digest(), *(other.digest() for other in others)}) == 5


def test_the_digest_covers_frames_sound_and_labels() -> None:
    clip = made()
    frames_NHW, sound_S = clip.frames_NHW.copy(), clip.sound_S.copy()
    frames_NHW[3, 4, 5] ^= 1
    sound_S[100] += 1.0 / 32768.0
    changed = [
        dataclasses.replace(clip, frames_NHW=frames_NHW),
        dataclasses.replace(clip, sound_S=sound_S),
        dataclasses.replace(clip, labels=dataclasses.replace(clip.labels, bounces=())),
    ]
    assert len({clip.digest(), *(each.digest() for each in changed)}) == 4


@pytest.mark.parametrize("recipe", [RECIPE, dataclasses.replace(RECIPE, digits=3, kick=3.0, seconds=12.0)])
def test_digits_stay_in_the_frame_and_out_of_the_obstacle(recipe: Recipe) -> None:
    obstacles = 0
    for number in range(8):
        labels = made(recipe, number).labels
        at_NK2, room = places(labels), recipe.size - recipe.digit_size
        assert at_NK2.min() >= 0
        assert at_NK2.max() <= room
        if (obstacle := labels.obstacle) is not None:
            obstacles += 1
            assert obstacle.frame >= 22
            corners = at_NK2[obstacle.frame :]
            low, high = np.array(obstacle.place) - recipe.digit_size, np.array(obstacle.place) + obstacle.size
            # The labels are rounded.
            assert not ((corners > low + 1e-3) & (corners < high - 1e-3)).all(axis=2).any()
    assert obstacles >= 6


def test_a_bounce_is_where_the_velocity_turns() -> None:
    for number in range(8):
        labels = made(number=number).labels
        steps = np.diff(places(labels)[:, 0], axis=0)
        turned = {k + 2 for k in range(len(steps) - 1) if (steps[k] * steps[k + 1] < -1e-6).any()}
        bounces = {bounce.frame for bounce in labels.bounces}
        # At frame 1 there is no step before; a digit that is wedged in stands still.
        assert turned <= bounces
        assert len(bounces - turned) <= 2
        assert [bounce.time_s for bounce in labels.bounces] == [bounce.frame / 20 for bounce in labels.bounces]


def test_a_digit_is_drawn_where_the_labels_say() -> None:
    clip = made(PLAIN)
    for frame in (0, 30, 119):
        x, y = (int(np.floor(value)) for value in clip.labels.places[frame][0])
        inside = clip.frames_NHW[frame, y : y + 29, x : x + 29]
        assert inside.sum(dtype=int) == clip.frames_NHW[frame].sum(dtype=int) > 0


def test_a_digit_moves_by_parts_of_a_pixel() -> None:
    """Its centre of gravity follows the labels, wherever it is between pixels."""
    clip = made(PLAIN)
    rows, columns = np.mgrid[:64, :64]
    weight_N = clip.frames_NHW.sum(axis=(1, 2), dtype=float)
    centres_N2 = np.stack([(clip.frames_NHW * each).sum(axis=(1, 2)) / weight_N for each in (columns, rows)], axis=1)
    apart_N2 = centres_N2 - places(clip.labels)[:, 0]
    assert np.abs(apart_N2 - apart_N2.mean(axis=0)).max() < 0.1


def test_the_obstacle_is_white_from_its_frame_on() -> None:
    clip = next(clip for number in range(9) if (clip := made(number=number)).labels.obstacle)
    obstacle = clip.labels.obstacle
    assert obstacle is not None
    x, y = map(int, obstacle.place)
    shown = clip.frames_NHW[:, y : y + 16, x : x + 16].reshape(len(clip.frames_NHW), -1)
    assert (shown[obstacle.frame :] == 255).all()
    assert not (shown[obstacle.frame - 1] == 255).all()


def strongest(sound_S: np.ndarray, rate_hz: int) -> set[str]:
    """Return the keys whose two tones are the loudest of a hop's sound."""
    time_S = np.arange(len(sound_S)) / rate_hz
    keys = [*"0123456789", EDGE_KEY, OBSTACLE_KEY]
    power = {
        key: min(abs((sound_S * np.exp(-2j * np.pi * hz * time_S)).mean()) for hz in frequencies_hz(key))
        for key in keys
    }
    return {max(power, key=lambda key: power[key])}


def test_each_frame_has_the_tone_that_the_labels_say() -> None:
    heard = set()
    for number in range(4):
        clip = made(number=number)
        labels, hop = clip.labels, RECIPE.hop_samples
        against = {bounce.frame: bounce.against for bounce in labels.bounces}
        for frame in range(RECIPE.frames):
            key = {"edge": EDGE_KEY, "obstacle": OBSTACLE_KEY}.get(against.get(frame, ""), str(labels.digits[0]))
            heard.add(key)
            assert strongest(clip.sound_S[frame * hop : (frame + 1) * hop], 16_000) == {key}
    assert {EDGE_KEY, OBSTACLE_KEY} < heard


def test_it_is_louder_the_farther_from_the_top_left_corner() -> None:
    clip, hop = made(PLAIN), PLAIN.hop_samples
    level_N = np.sqrt(np.square(clip.sound_S.reshape(-1, hop)).mean(axis=1))
    distance_N = np.hypot(*places(clip.labels)[:, 0].T)
    steady = [frame for frame in range(1, 120) if frame not in {b.frame for b in clip.labels.bounces}]
    assert np.corrcoef(level_N[steady], distance_N[steady])[0, 1] > 0.95
    assert level_N.min() > 0.1
    assert np.abs(clip.sound_S).max() <= 1.0


def test_a_tone_does_not_begin_before_its_frame_nor_jump() -> None:
    sound_S = key_tones(["5", EDGE_KEY, "5"], np.array([0.0, 1.0, 0.0]), 800, 16_000)
    assert np.abs(sound_S[:800]).max() < 1e-12
    assert np.abs(sound_S[800:816]).max() < 0.3
    assert np.abs(np.diff(sound_S)).max() < 0.6
    assert np.abs(sound_S[1600 + 64 :]).max() < 1e-9


def test_a_kick_makes_the_step_of_the_bounce_the_quickest() -> None:
    kicked = dataclasses.replace(PLAIN, kick=3.0)
    for number in range(4):
        labels = made(kicked, number).labels
        steps_N = np.hypot(*np.diff(places(labels)[:, 0], axis=0).T)
        frames = {bounce.frame for bounce in labels.bounces}
        assert frames
        for frame in frames:
            if frame < len(steps_N) and frame + 1 not in frames:
                assert steps_N[frame - 1] > steps_N[frame]


def test_onsets_are_told_once_for_bounces_that_follow_each_other() -> None:
    labels = made().labels
    first = labels.bounces[0]
    again = [dataclasses.replace(first, frame=frame, time_s=frame / 20) for frame in (10, 11, 12, 20)]
    assert dataclasses.replace(labels, bounces=tuple(again)).onsets_s == (0.5, 1.0)


def test_size_and_rates_change_pixels_and_samples_alone() -> None:
    large = made(Recipe(size=128, fps=30, sample_rate_hz=48_000, seconds=2.0, digits=2, has_obstacle=False))
    assert large.frames_NHW.shape == (60, 128, 128)
    assert large.sound_S.shape == (96_000,)
    assert large.labels.digit_size == 56
    assert len(large.labels.digits) == 2
    assert places(large.labels).max() > 40


@pytest.mark.parametrize(
    ("wrong", "part"),
    [
        ({"size": 63}, "--size is 63"),
        ({"size": 30}, "--size is 30"),
        ({"fps": 7}, "--fps is 7"),
        ({"fps": 0}, "--fps is 0"),
        ({"sample_rate_hz": 4400}, "--rate is 4400"),
        ({"seconds": 0.5}, "--seconds is 0.5"),
        ({"seconds": float("nan")}, "--seconds is nan"),
        ({"seconds": 60.0, "size": 512}, "--seconds is 60, too long for the memory at 20 frames of 512x512"),
        ({"digits": 0}, "--count is 0"),
        ({"kick": 0.5}, "--kick is 0.5"),
    ],
)
def test_an_impossible_recipe_is_one_sentence(wrong: dict[str, float], part: str) -> None:
    with pytest.raises(TrainingError, match="was expected") as refused:
        Recipe(**wrong)  # type: ignore[arg-type]
    assert part in str(refused.value)
