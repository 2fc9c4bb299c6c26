"""The original's recipe: its rates, its quirks, and clips that follow from the seed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from engine.core.errors import TrainingError
from training.data.moving_digits.digit_images import drawn_digits
from training.data.moving_digits.legacy import (
    BLOCK_SYMBOL,
    COLUMN_CYCLES,
    EDGE_SYMBOL,
    ROW_CYCLES,
    TWO_PI,
    LegacyRecipe,
    legacy_clips,
)
from training.data.moving_digits.recipe import MadeClip, sixteen_bits

IMAGES = drawn_digits()
PLAIN = LegacyRecipe(has_obstacle=False)


def some(recipe: LegacyRecipe, count: int = 6, seed: int = 3) -> list[MadeClip]:
    return list(itertools.islice(legacy_clips(recipe, IMAGES, seed), count))


def test_clips_follow_from_the_seed_in_their_order() -> None:
    first, again = some(PLAIN), some(PLAIN)
    assert [clip.digest() for clip in first] == [clip.digest() for clip in again]
    assert len({clip.digest() for clip in first}) == len(first)


def test_rates_and_lengths_are_the_originals() -> None:
    (clip,) = some(LegacyRecipe(), 1)
    assert clip.frames_NHW.shape == (30, 48, 48)
    assert len(clip.sound_S) == 13_200
    assert (clip.labels.fps, clip.labels.sample_rate_hz) == (10, 4400)
    assert clip.labels.recipe == "M3SO, legacy"


def test_samples_wrap_in_sixteen_bits() -> None:
    """They are 32767 and more or less, so that those above come out as loud negative ones."""
    samples = np.concatenate([sixteen_bits(clip.sound_S) for clip in some(PLAIN)])
    assert samples.min() < -30_000
    assert samples.max() == 32_767
    assert np.abs(samples.astype(int)).mean() > 15_000


def test_speed_never_changes_and_digits_leave_the_frame_by_two_pixels_at_most() -> None:
    for clip in some(PLAIN, 12):
        at_N2 = np.array(clip.labels.places)[:, 0]
        assert at_N2.min() >= -2.01
        assert at_N2.max() <= 22.01
        steps_N = np.hypot(*np.diff(at_N2, axis=0).T)
        assert steps_N == pytest.approx(np.full(29, round(steps_N[0])), abs=0.01)
        assert 2 <= round(steps_N[0]) <= 6


def test_a_bounce_is_heard_one_frame_before_its_turn_is_seen() -> None:
    for clip in some(PLAIN):
        steps = np.diff(np.array(clip.labels.places)[:, 0], axis=0)
        turned = {k + 1 for k in range(len(steps) - 1) if (steps[k] * steps[k + 1] < -1e-6).any()}
        assert turned == {bounce.frame for bounce in clip.labels.bounces if bounce.frame}


def test_the_block_appears_in_the_twelfth_frame_and_covers_the_digit_at_48_pixels() -> None:
    (clip,) = some(LegacyRecipe(), 1)
    block = clip.labels.obstacle
    assert block is not None
    assert (block.frame, block.size) == (11, 32)
    x, y = map(int, block.place)
    shown = clip.frames_NHW[:, y : y + 32, x : x + 32]
    assert (shown[11:].min(axis=(1, 2)) == 255).all()
    assert (shown[:11].min(axis=(1, 2)) < 255).all()


def test_several_digits_share_the_tone_of_a_bounce() -> None:
    clips = some(LegacyRecipe(digits=2, has_obstacle=False))
    assert all(len(clip.labels.digits) == 2 for clip in clips)
    assert any({bounce.digit for bounce in clip.labels.bounces} == {0, 1} for clip in clips)


@pytest.mark.parametrize("digits", [1, 2])
def test_onsets_are_where_a_bounce_tone_sounds(digits: int) -> None:
    """Where edge and obstacle are met in one frame, the digits' own tones go on. Told from the samples, not from the labels."""
    silenced = 0
    for clip in some(LegacyRecipe(size=64, frames=60, digits=digits), 8):
        labels = clip.labels
        wrapped = sixteen_bits(clip.sound_S).astype(int) % 65_536 - 32_767
        heard = [is_bounce_tone(frame_S, labels.digits) for frame_S in wrapped.reshape(60, 440)]
        # The turn after the last frame is not seen, so its bounce is not told.
        begun = [frame for frame in range(59) if heard[frame] and not (frame and heard[frame - 1])]
        assert labels.onsets_s == tuple(frame / 10 for frame in begun)
        silenced += len({bounce.frame for bounce in labels.bounces} - {f for f in range(59) if heard[f]})
    assert silenced


def is_bounce_tone(sound_S: np.ndarray, digits: tuple[int, ...]) -> bool:
    """Return whether no mixture of the digits' own tones is as near to the samples as a bounce tone."""
    part_S = np.arange(440) / 440

    def rest(symbols: set[int]) -> float:
        tones = [
            np.sin(part_S * ROW_CYCLES[each // 4] * TWO_PI) + np.sin(part_S * COLUMN_CYCLES[each % 4] * TWO_PI)
            for each in symbols
        ]
        levels = np.linalg.lstsq(np.stack(tones, axis=1), sound_S, rcond=None)[0]
        return float(np.abs(sound_S - np.stack(tones, axis=1) @ levels).sum())

    return min(rest({EDGE_SYMBOL}), rest({BLOCK_SYMBOL})) < rest(set(digits))


@pytest.mark.parametrize(
    ("wrong", "part"),
    [
        ({"size": 33}, "--size is 33"),
        ({"frames": 11}, "gives 11 frames"),
        ({"frames": 6001}, "gives 6001 frames"),
        ({"frames": 3000, "size": 512}, "--seconds is 300, too long for the memory"),
        ({"digits": 0}, "--count is 0"),
        ({"digits": -1}, "--count is -1"),
        ({"digits": 9}, "--count is 9"),
    ],
)
def test_an_impossible_recipe_is_one_sentence(wrong: dict[str, int], part: str) -> None:
    with pytest.raises(TrainingError, match=part):
        LegacyRecipe(**wrong)  # type: ignore[arg-type]
