"""Chunks that go on from one another."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.core.errors import TrainingError
from training.diffusion.avsyncd.chaining import chained_frames


def still(value: int) -> NDArray[np.uint8]:
    return np.full((1, 1, 3), value, np.uint8)


class Chunks:
    """Makes chunks of six frames; the frames after the first have the brightness of their chunk. A frame's start is its brightness."""

    def __init__(self, *brightness: int) -> None:
        self.brightness = list(brightness)
        self.begun: list[tuple[int, int]] = []

    def __call__(self, start: int, number: int) -> tuple[list[NDArray[np.uint8]], list[int]]:
        self.begun.append((start, number))
        starts = [start, *[self.brightness[len(self.begun) - 1]] * 5]
        return [still(value) for value in starts], starts


def values(chunks: Chunks, frames: int, seam_frames: int) -> list[int]:
    return [int(frame[0, 0, 0]) for frame in chained_frames(9, chunks, frames, 6, seam_frames)]


def test_the_last_frame_is_the_next_first() -> None:
    chunks = Chunks(10, 20, 30)
    assert values(chunks, 16, 1) == [9, *[10] * 5, *[20] * 5, *[30] * 5]
    assert chunks.begun == [(9, 0), (10, 5), (20, 10)]


def test_seams_are_cross_faded() -> None:
    chunks = Chunks(30, 60)
    # The shared frames 3, 4 and 5: the next chunk begins with the first of them and takes over in thirds.
    assert values(chunks, 9, 3) == [9, 30, 30, 30, 40, 50, 60, 60, 60]
    assert chunks.begun == [(9, 0), (30, 3)]


@pytest.mark.parametrize("frames", [0, 1, 5, 6, 7, 11, 40])
def test_clips_of_any_length(frames: int) -> None:
    assert len(values(Chunks(*range(10, 60)), frames, 2)) == frames


def test_no_chunk_is_made_for_nothing() -> None:
    chunks = Chunks(10, 20)
    values(chunks, 6, 3)
    assert len(chunks.begun) == 1


@pytest.mark.parametrize("seam_frames", [0, 6])
def test_seams_have_a_limit(seam_frames: int) -> None:
    with pytest.raises(TrainingError, match=f"to share {seam_frames}; from 1 to 5"):
        values(Chunks(10), 6, seam_frames)
