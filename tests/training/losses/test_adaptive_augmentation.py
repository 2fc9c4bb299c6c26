"""How far a discriminator knows its clip by heart, and what is done about it."""

from pathlib import Path

import pytest
import torch

from engine.core.errors import TrainingError
from tests.training.clips import moving_clip
from tests.training.runs import small_config
from training.data.cache import load_clip
from training.data.windows import WindowTiming, frame_tensor, split
from training.families.family import build_model
from training.losses.adaptive_augmentation import (
    HIGHEST_PROBABILITY,
    heldout_sequences,
    moved,
    overfitting,
)


@pytest.mark.parametrize(
    ("trained", "heldout", "generated", "expected"),
    [
        (1.0, 1.0, -1.0, 0.0),  # held out looks as real
        (1.0, -1.0, -1.0, 1.0),  # held out looks generated
        (1.0, 0.0, -1.0, 0.5),
        (1.0, -5.0, -1.0, 1.0),
        (1.0, 2.0, -1.0, 0.0),
        (-1.0, -2.0, 1.0, 0.0),  # it tells nothing apart
        (0.0, 0.0, 0.0, 0.0),
    ],
)
def test_the_measure(trained: float, heldout: float, generated: float, expected: float) -> None:
    assert overfitting(trained, heldout, generated) == expected


def test_the_probability_settles_where_the_measure_meets_its_target() -> None:
    probability = 0.0
    for _ in range(100):
        probability = moved(probability, measured=1.0 - probability, target=0.6, step=0.01)
    assert probability == pytest.approx(0.4, abs=0.02)
    assert moved(0.795, 1.0, 0.6, 0.01) == HIGHEST_PROBABILITY
    assert moved(0.005, 0.0, 0.6, 0.01) == 0.0


def test_heldout_sequences_are_frames_and_sound_of_the_part_that_is_not_trained(tmp_path: Path) -> None:
    config = small_config()
    clip = load_clip(moving_clip(tmp_path / "clip.mp4"), config.clip_format(), tmp_path / "cache")
    frame_range, timing = split(clip, 4)[1], WindowTiming.of(build_model(config.model))
    real_NTCHW, audio_NTW = heldout_sequences(clip, frame_range, 4, timing)
    assert real_NTCHW.shape == (4, 4, 3, 16, 16)
    assert audio_NTW.shape == (4, 4, timing.window_samples)
    assert torch.equal(real_NTCHW[0], frame_tensor(clip, frame_range.first, 4))
    assert torch.equal(real_NTCHW[-1], frame_tensor(clip, frame_range.end - 4, 4))
    assert len(heldout_sequences(clip, frame_range, frame_range.count, timing)[0]) >= 1
    with pytest.raises(TrainingError, match=r"tuning part .* has 12 frames"):
        heldout_sequences(clip, frame_range, frame_range.count + 1, timing)
