"""Clips longer than twelve frames, and loops: chunks that begin with a frame of the chunk before, with a cross-fade where they overlap."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import TrainingError

# H W rows and columns

Pixels = NDArray[np.uint8]
Start = TypeVar("Start")
"""What a chunk begins with: the latents of a frame."""
LED_SHARE = 0.8
"""Of the steps of the denoising, in which a frame behind the end of a loop is led to the one that it stands for. The last steps are the
model's own: they smooth what was put beside each other."""


@dataclass(frozen=True, slots=True)
class Led(Generic[Start]):
    """A frame of a chunk that is to become like another one."""

    place: int
    """In its chunk."""
    like: Start
    share: float
    """Of the steps in which it is led: with few, coarse forms alone are."""


Chunk = Callable[[Start, int, Sequence[Led[Start]]], tuple[Sequence[Pixels], Sequence[Start]]]
"""What the first frame is and its number in the clip, and which frames are led -> the frames [H, W, 3] of one chunk, the first included,
and what a chunk that begins with each of them would begin with."""


def chained_frames(
    start: Start, chunk: Chunk[Start], frames: int, chunk_frames: int, seam_frames: int
) -> Iterator[Pixels]:
    """Yield the frames [H, W, 3] of a clip of any length, of chunks that share `seam_frames`.

    A chunk begins with the frame of the one before that is the first they share: with 1 its last frame. Over the further ones the
    weight of the later chunk grows evenly. Raises TrainingError where chunks would share all frames, or none.
    """
    _check(chunk_frames, seam_frames)
    done, shared = 0, list[Pixels]()
    while done < frames:
        given, starts = chunk(start, done, ())
        assert len(given) == len(starts) == chunk_frames, (len(given), len(starts))
        made = _faded(shared, given)
        if done + chunk_frames >= frames:
            yield from made[: frames - done]
            return
        yield from made[:-seam_frames]
        start, shared = starts[-seam_frames], made[-seam_frames:]
        done += chunk_frames - seam_frames


def looped_frames(
    start: Start, chunk: Chunk[Start], frames: int, chunk_frames: int, seam_frames: int
) -> Iterator[Pixels]:
    """Yield the frames [H, W, 3] of a clip whose first frame follows its last one, of chunks as in `chained_frames`.

    The last chunk goes on for `seam_frames` behind the end of the clip. These frames are led to the first ones of the clip, and those
    right before the end, less and less, to its first frame; then the clip's first frames fade in over them. So the first frame is
    what the last chunk makes of it, and the step to it is one within a chunk. A chunk may share more frames with the one before, so
    that the last one ends where it has to; a clip shorter than a chunk is one chunk. All frames are held until the last chunk is
    there. Raises TrainingError as `chained_frames`.
    """
    _check(chunk_frames, seam_frames)
    new = chunk_frames - seam_frames
    last = frames - new if frames >= chunk_frames else 0
    position, shared, made, firsts = 0, list[Pixels](), list[Pixels](), [start]
    while True:
        is_last = position == last
        given, starts = chunk(start, position, _led(firsts, frames - position, seam_frames) if is_last else ())
        faded = _faded(shared, given)
        if position == 0 and not is_last:
            firsts = list(starts[:seam_frames])
        if is_last:
            break
        step = min(new, last - position)
        made += faded[:step]
        start, shared, position = starts[step], faded[step : step + seam_frames], position + step
    ends = frames - position
    made += faded[:ends]
    # Over as many frames as there are behind the end: a clip of eleven frames leaves one in its chunk.
    behind = faded[ends : ends + seam_frames]
    yield from _faded(behind[:frames], made)


def looped_chunks(frames: int, chunk_frames: int, seam_frames: int) -> int:
    """Return of how many chunks `looped_frames` makes a clip."""
    return 1 if frames < chunk_frames else -(-frames // (chunk_frames - seam_frames))


def _led(firsts: Sequence[Start], ends: int, seam_frames: int) -> list[Led[Start]]:
    """Return which frames of the last chunk are led, `ends` being the place behind the clip's last one."""
    before = range(max(1, ends - seam_frames), ends)
    led = [Led(place, firsts[0], LED_SHARE * (1.0 - (ends - place) / (seam_frames + 1))) for place in before]
    return led + [Led(ends + number, first, LED_SHARE) for number, first in enumerate(firsts)]


def _check(chunk_frames: int, seam_frames: int) -> None:
    if not 1 <= seam_frames < chunk_frames:
        raise TrainingError(
            f"Chunks of {chunk_frames} frames were asked to share {seam_frames}; from 1 to {chunk_frames - 1} were expected."
        )


def _faded(before: Sequence[Pixels], after: Sequence[Pixels]) -> list[Pixels]:
    """Return `after`, which takes over evenly from the frames `before` at its beginning, the first of which stays."""
    shared = [
        _mixed(old, new, number / len(before)) for number, (old, new) in enumerate(zip(before, after, strict=False))
    ]
    return [*shared, *after[len(shared) :]]


def _mixed(before: Pixels, after: Pixels, weight: float) -> Pixels:
    return np.rint(before * (1.0 - weight) + after * weight).astype(np.uint8)
