"""Clips longer than twelve frames: chunks that begin with a frame of the chunk before, with a cross-fade where they overlap."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import TrainingError

# H W rows and columns

Pixels = NDArray[np.uint8]
Start = TypeVar("Start")
"""What a chunk begins with: the latents of a frame."""
Chunk = Callable[[Start, int], tuple[Sequence[Pixels], Sequence[Start]]]
"""What the first frame is and its number in the clip -> the frames [H, W, 3] of one chunk, the first included, and what a chunk that
begins with each of them would begin with."""


def chained_frames(
    start: Start, chunk: Chunk[Start], frames: int, chunk_frames: int, seam_frames: int
) -> Iterator[Pixels]:
    """Yield the frames [H, W, 3] of a clip of any length, of chunks that share `seam_frames`.

    A chunk begins with the frame of the one before that is the first they share: with 1 its last frame. Over the further ones the
    weight of the later chunk grows evenly. Raises TrainingError where chunks would share all frames, or none.
    """
    if not 1 <= seam_frames < chunk_frames:
        raise TrainingError(
            f"Chunks of {chunk_frames} frames were asked to share {seam_frames}; from 1 to {chunk_frames - 1} were expected."
        )
    done, shared = 0, list[Pixels]()
    while done < frames:
        given, starts = chunk(start, done)
        assert len(given) == len(starts) == chunk_frames, (len(given), len(starts))
        made = list(given)
        for number, before in enumerate(shared):
            made[number] = _mixed(before, made[number], number / len(shared))
        if done + chunk_frames >= frames:
            yield from made[: frames - done]
            return
        yield from made[:-seam_frames]
        start, shared = starts[-seam_frames], made[-seam_frames:]
        done += chunk_frames - seam_frames


def _mixed(before: Pixels, after: Pixels, weight: float) -> Pixels:
    return np.rint(before * (1.0 - weight) + after * weight).astype(np.uint8)
