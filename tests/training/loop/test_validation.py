"""Held-out folds of one and several clips, whole or their leading part."""

import math

import numpy as np
import pytest
import torch

import training.loop.validation as validation
from tests.training.clips import RATE_HZ, noise
from tests.training.models import small_model
from training.core.streaming import StreamingModel
from training.data.video import Clip, ClipFormat
from training.data.windows import FrameRange, Segment
from training.loop.validation import leading, validate, validate_segments

FORMAT = ClipFormat(fps=20, image_size=16, sample_rate_hz=RATE_HZ)
GREY = torch.zeros(3, 16, 16)


@pytest.fixture(scope="module")
def model() -> StreamingModel:
    torch.set_num_threads(1)
    return small_model()


def segment(count: int, seed: int, first: int = 3) -> Segment:
    frames = np.random.default_rng(seed).integers(0, 256, (first + count, 16, 16, 3)).astype(np.uint8)
    return Segment(
        Clip(frames, noise((first + count) / 20, seed)[0], FORMAT, f"{seed}.mp4"), FrameRange(first, first + count)
    )


def counts(segments: tuple[Segment, ...]) -> list[int]:
    return [each.frame_range.count for each in segments]


def test_the_limit_is_shared_by_length_and_leads() -> None:
    held_out = [segment(40, 1), segment(20, 2)]
    assert leading(held_out, None) == tuple(held_out)
    assert leading(held_out, 100.0) == tuple(held_out)
    shortened = leading(held_out, 1.5)
    assert counts(shortened) == [20, 10]
    assert [each.frame_range.first for each in shortened] == [3, 3]
    # Motion needs two frames.
    assert counts(leading([segment(40, 1), segment(3, 2)], 0.5)) == [9, 2]


def test_numbers_over_several_clips_are_those_of_each_by_length(model: StreamingModel) -> None:
    long, short = segment(12, 1), segment(5, 2)
    together = validate_segments(model, [long, short], GREY, steps=4)
    alone = validate(model, long.clip, long.frame_range, GREY, steps=4)
    assert counts(together.played) == [12, 5]
    # Each clip is played from the initial state, so the first is what it is alone.
    assert np.array_equal(together.generated_NHWC[:12], alone.generated_NHWC)
    real = torch.from_numpy(together.real_NHWC()).float() / 127.5 - 1.0
    assert together.mean_frame_l1 == pytest.approx(float(real.abs().mean()))
    fake = torch.from_numpy(together.generated_NHWC).float() / 127.5 - 1.0
    assert together.l1 == pytest.approx(float((fake - real).abs().mean()), abs=1 / 127.5)
    # Between two clips there is no motion.
    motion = [(fake - real)[part].diff(dim=0).abs().mean(dim=(1, 2, 3)) for part in (slice(12), slice(12, 17))]
    assert together.motion_l1 == pytest.approx(float(torch.cat(motion).mean()), abs=2 / 127.5)


def test_a_limit_plays_what_the_whole_begins_with(model: StreamingModel) -> None:
    whole, part = (validate_segments(model, [segment(12, 1)], GREY, 4, limit_s=limit) for limit in (None, 0.4))
    assert np.array_equal(part.generated_NHWC, whole.generated_NHWC[:8])
    assert counts(part.played) == [8]
    assert set(part.numbers()) == {"l1", "mean_frame_l1", "motion_l1", "motion_share"}


def test_real_frames_and_sound_belong_to_the_generated_ones(
    model: StreamingModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = segment(6, 1), segment(5, 2)
    monkeypatch.setattr(validation, "KEPT_FRAMES", 8)
    found = validate_segments(model, [one, other], GREY, steps=4)
    assert len(found.generated_NHWC) == 8
    assert counts(found.played) == [6, 5]
    expected = np.concatenate([one.clip.frames_NHWC[3:9], other.clip.frames_NHWC[3:5]])
    assert np.array_equal(found.real_NHWC(), expected)
    heard = np.concatenate([one.clip.sound_S[2400:7200], other.clip.sound_S[2400:4000]])
    assert np.array_equal(found.sound_S(), heard)


def test_a_held_out_part_that_stands_still_has_no_motion_to_share(model: StreamingModel) -> None:
    moving = segment(8, 1)
    frames = np.repeat(moving.clip.frames_NHWC[:1], 11, axis=0)
    # As compression changes one value now and then.
    frames[6, 0, 0, 0] ^= 1
    still = Segment(Clip(frames, moving.clip.sound_S, FORMAT, "still.mp4"), moving.frame_range)
    found = validate_segments(model, [still], GREY, steps=4)
    assert math.isnan(found.motion_share)
    assert math.isfinite(validate_segments(model, [moving], GREY, steps=4).motion_share)
