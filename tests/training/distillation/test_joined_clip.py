"""Frames between those of a teacher, and stretches one after the other."""

from pathlib import Path

import numpy as np

from tests.training.clips import write_clip
from training.distillation.joined_clip import JoinedClip, between, faded


def test_each_frame_is_reached_when_its_sound_has_been_heard() -> None:
    """Not before: a live model cannot know what follows."""
    frames = [np.full((1, 1, 3), level, np.uint8) for level in (40, 100, 20)]
    assert [int(frame[0, 0, 0]) for frame in faded(frames, 4)] == [40] * 4 + [55, 70, 85, 100] + [80, 60, 40, 20]


def test_a_frame_rate_for_the_stage() -> None:
    assert [fps * between(fps) for fps in (6, 8, 12, 24, 30)] == [24, 24, 24, 24, 30]


def test_films_follow_each_other_without_a_cut(tmp_path: Path) -> None:
    films = [
        write_clip(tmp_path / f"{level}.mp4", np.full((6, 32, 32, 3), level, np.uint8), None, fps=6)
        for level in (50, 200)
    ]
    joined = JoinedClip(films, 6, 32, 32)
    levels = [float(frame.mean()) for frame in joined.render(np.zeros(0, np.float32))]
    assert joined.fps == 24
    assert len(levels) == 48
    steps = np.abs(np.diff(levels))
    # 150 levels in four steps.
    assert 36.0 < steps.max() < 39.0
    assert steps.argmax() in range(23, 28)
