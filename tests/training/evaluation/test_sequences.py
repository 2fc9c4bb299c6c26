"""Sequence plans: starts, shifted sound, loops, and the real frames of the reference rows."""

import numpy as np
import pytest

from training.data.video import Clip, ClipFormat
from training.data.windows import FrameRange
from training.evaluation.clip_features import half_a_clip_away, half_clip_frames, one_frame_late
from training.evaluation.results import Spread
from training.evaluation.sequences import HELD_OUT, TRAINED, Rollout, clip_parts, plan_sequences, with_shuffled_sound

HOP, FRAMES = 100, 100


@pytest.fixture
def clip() -> Clip:
    frames = np.broadcast_to(np.arange(FRAMES, dtype=np.uint8)[:, None, None, None], (FRAMES, 4, 4, 3))
    sound = np.repeat(np.arange(FRAMES), HOP).astype(np.float32)  # the sound of each frame is its number
    return Clip(frames, sound, ClipFormat(fps=10, image_size=4, sample_rate_hz=1000), "made.mp4")


def both(clip: Clip):
    return clip_parts(clip, FrameRange(0, 80), FrameRange(80, 100), HOP, [8, 16, 64, 128])


def test_lengths_beyond_the_held_out_part_add_the_looped_part(clip: Clip) -> None:
    assert [part.name for part in both(clip)] == [HELD_OUT, TRAINED]
    assert [part.name for part in clip_parts(clip, FrameRange(0, 80), FrameRange(80, 100), HOP, [8, 16])] == [HELD_OUT]


def test_held_out_sequences_neither_reach_the_trained_part_nor_overlap(clip: Clip) -> None:
    held_out = both(clip)[0]
    found = plan_sequences(held_out, [8, 16, 64], 4)
    assert {n: [p.start for p in rollouts] for n, rollouts in found.rollouts.items()} == {8: [0, 8], 16: [0]}
    assert found.longest() == {Rollout(0): 16, Rollout(8): 8}
    assert held_out.indices(8, 8).tolist() == list(range(88, 96))


def test_the_looped_part_repeats_with_its_sound(clip: Clip) -> None:
    trained = both(clip)[1]
    assert trained.indices(78, 4).tolist() == [78, 79, 0, 1]
    sound = trained.sound(200)
    assert sound[79 * HOP : 82 * HOP : HOP].tolist() == [79, 0, 1]
    assert [len(rollouts) for rollouts in plan_sequences(trained, [16, 64, 128], 4).rollouts.values()] == [4, 4, 2]
    assert [rollout.start for rollout in plan_sequences(trained, [16], 4).rollouts[16]] == [0, 20, 40, 60]


def test_shuffled_sound_is_the_same_sound_at_other_times(clip: Clip) -> None:
    held_out = both(clip)[0]
    shifts = held_out.shifts(4, 1000)
    assert len(set(shifts)) == 4
    assert min(shifts) >= 2000
    assert max(shifts) <= len(clip.sound_S) - 2000
    shifted = held_out.sound(20, shifts[0])
    assert sorted(shifted) == sorted(clip.sound_S)
    assert not np.array_equal(shifted[80 * HOP :], clip.sound_S[80 * HOP :])
    floor = with_shuffled_sound(plan_sequences(held_out, [8, 16], 4), shifts)
    assert [len(rollouts) for rollouts in floor.rollouts.values()] == [4, 4]
    assert {rollout.shift_samples for rollout in floor.rollouts[16]} == set(shifts)


def test_frames_of_the_reference_rows(clip: Clip) -> None:
    held_out, trained = both(clip)
    assert one_frame_late(np.array([0, 1, 50])).tolist() == [1, 0, 49]
    assert half_a_clip_away(held_out, np.array([80, 99])).tolist() == [30, 49]
    assert half_a_clip_away(trained, np.array([0, 79])).tolist() == [40, 39]
    assert (half_clip_frames(held_out), half_clip_frames(trained)) == (50, 40)


@pytest.mark.parametrize(
    ("values", "text"),
    [([0.00372, 0.00374], "0.00373 ± 0.00001"), ([120.0], "120"), ([24.0, 25.0], "24.5 ± 0.7"), ([0.0], "0.00")],
)
def test_figures_are_written_with_three_significant_digits(values: list[float], text: str) -> None:
    assert Spread.of(values).text() == text
