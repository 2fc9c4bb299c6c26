"""Chunks that go on from one another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.core.errors import TrainingError
from training.diffusion.avsyncd.chaining import Led, chained_frames, looped_chunks, looped_frames


def still(value: int) -> NDArray[np.uint8]:
    return np.full((1, 1, 3), value, np.uint8)


class Chunks:
    """Makes chunks of six frames; the frames after the first have the brightness of their chunk. A frame's start is its brightness."""

    def __init__(self, *brightness: int) -> None:
        self.brightness = list(brightness)
        self.led: list[tuple[int, int, float]] = []
        self.begun: list[tuple[int, int]] = []

    def __call__(self, start: int, number: int, led: Sequence[Led[int]]) -> tuple[list[NDArray[np.uint8]], list[int]]:
        self.begun.append((start, number))
        self.led = [(frame.place, frame.like, round(frame.share, 2)) for frame in led]
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


def looped(chunks: Chunks, frames: int, seam_frames: int) -> list[int]:
    return [int(frame[0, 0, 0]) for frame in looped_frames(9, chunks, frames, 6, seam_frames)]


def test_a_loop_goes_on_behind_its_end_and_fades_into_its_beginning() -> None:
    chunks = Chunks(30, 60, 90)
    # Frames 10 and 11 of the last chunk stand for 0 and 1: 0 is theirs, 1 half theirs.
    assert looped(chunks, 10, 2) == [90, (90 + 30) // 2, 30, 30, 30, 45, 60, 75, 90, 90]
    # The last chunk ends where it has to, and so shares more than two frames with the one before.
    assert chunks.begun == [(9, 0), (30, 4), (60, 6)]


def test_the_last_chunk_of_a_loop_is_led_to_the_first_frames() -> None:
    chunks = Chunks(30, 60)
    looped(chunks, 8, 2)
    assert chunks.begun == [(9, 0), (30, 4)]
    assert chunks.led == [(2, 9, 0.27), (3, 9, 0.53), (4, 9, 0.8), (5, 30, 0.8)]


def test_a_loop_shorter_than_a_chunk_is_one() -> None:
    chunks = Chunks(30)
    assert looped(chunks, 4, 3) == [30, 30, 30, 30]
    assert chunks.led == [(1, 9, 0.2), (2, 9, 0.4), (3, 9, 0.6), (4, 9, 0.8)]


@pytest.mark.parametrize("seam_frames", [1, 2, 5])
@pytest.mark.parametrize("frames", [1, 2, 5, 6, 7, 8, 11, 23])
def test_loops_of_any_length(frames: int, seam_frames: int) -> None:
    chunks = Chunks(*range(10, 60))
    assert len(looped(chunks, frames, seam_frames)) == frames
    assert len(chunks.begun) == looped_chunks(frames, 6, seam_frames)
