"""Frames of any video file at a fixed rate, on a timeline that starts with the first frame.

Frame k is on screen just before time (k + 1) / fps. Sound window k ends there, so a frame never shows a sound that its
window does not contain yet.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.core.errors import MediaError, TrainingError
from engine.media.frame_reader import FrameReader, TimedFrame
from engine.media.geometry import Box, centred_box
from engine.media.opening import open_media
from engine.media.tracks import video_track, video_tracks
from training.data.video import ClipFormat

# H W rows and columns, C colours

INSTANT_S = 0.002
"""Just before: less than a frame interval, more than the rounding of time stamps, which Matroska and Flash round to 1 ms."""
SAME_SHAPE = 0.01
"""Frames whose sides have a ratio within this share of each other have the same shape."""

MOST_REPEATED = 1.9
"""A film that shows its frames for so many frames of the model moves in steps. One of half the rate is told."""

Shown = TypeVar("Shown")


def read_frames(
    path: Path, clip_format: ClipFormat, say: Callable[[str], None] = lambda _: None
) -> Generator[NDArray[np.uint8]]:
    """Decode frames [H, W, 3] RGB at `fps`, cropped and resized by area; at the end `say` is told what was mended.

    Raises MediaError for a file that is missing, no video, or in which nothing can be decoded; TrainingError for a crop that
    reaches outside the frame.
    """
    return _at_rate(path, clip_format.fps, _Crop(path, clip_format).pixels_HWC, say)


def read_whole_frames(path: Path, fps: int, side: int) -> Generator[NDArray[np.uint8]]:
    """Decode whole frames, squeezed to a square [side, side, 3] RGB, at `fps`. Raises MediaError as `read_frames`."""

    return _at_rate(path, fps, lambda frame: frame.shown.squeezed_HWC(side, side), lambda _: None)


def _at_rate(
    path: Path, fps: int, convert: Callable[[TimedFrame], NDArray[np.uint8]], say: Callable[[str], None]
) -> Generator[NDArray[np.uint8]]:
    """Yield the pixels on screen at every tick; each frame that is seen is converted once, the others never."""
    reader = FrameReader(path)
    timed = ((frame.time_s, frame.duration_s, frame) for frame in reader.frames())
    shown = yielded = 0
    try:
        for frame, ticks in itertools.groupby(at_frame_rate(timed, fps)):
            pixels_HWC = convert(frame)
            shown += 1
            for _ in ticks:
                yielded += 1
                yield pixels_HWC
    finally:
        # A still is told by itself.
        if shown > 1 and yielded > MOST_REPEATED * shown:
            say(
                f"{path.name} has about {fps * shown / yielded:.2g} frames a second for a model of {fps}, so frames repeat; the model "
                "learns to stand still between them. Give a film of a higher rate, or set model.fps."
            )
        for sentence in reader.notices():
            say(sentence)


def at_frame_rate(timed: Iterable[tuple[float, float, Shown]], fps: int) -> Generator[Shown]:
    """Resample frames, each with its time in seconds and its duration, to `fps` frames a second. Time starts with the first frame."""
    current: Shown | None = None
    start_s: float | None = None
    end_s, count = 0.0, 0
    for time_s, duration_s, frame in timed:
        start_s = time_s if start_s is None else start_s
        # The frame before stays on screen for every tick up to this frame's time.
        while current is not None and _tick_s(count, fps) < time_s - start_s:
            yield current
            count += 1
        current, end_s = frame, time_s + duration_s
    while current is not None and start_s is not None and _tick_s(count, fps) < end_s - start_s:
        yield current
        count += 1


def frames_with_sound(samples: int, sample_rate_hz: int, fps: int) -> int:
    """Return how many frames a sound of so many samples lasts: no more are read, whatever the time stamps of the film say."""
    return int((samples + 0.5) * fps // sample_rate_hz)


def shown_size(path: Path) -> tuple[int, int]:
    """Return width and height of the first frame as displayed. Raises MediaError for a file without a frame."""
    return next(FrameReader(path).frames()).shown.size


def first_frame_s(path: Path) -> float | None:
    """Return the time of the first frame on the file's clock; None for a file without one. Raises MediaError as `open_media`."""
    with open_media(path) as container:
        if not video_tracks(container):
            return None
    with contextlib.suppress(MediaError):
        return next(FrameReader(path).frames()).time_s
    return None


def file_frame_rate(path: Path) -> float:
    """Return the file's own frames a second. Raises MediaError when it has no video track."""
    with open_media(path) as container:
        rate = video_track(container, path).average_rate
    if not rate:
        raise MediaError(f"{path} has no video track with a frame rate; a video with sound was expected.")
    return float(rate)


def crop_and_resize(pixels_HWC: NDArray[np.uint8], clip_format: ClipFormat, path: Path) -> NDArray[np.uint8]:
    """Crop and resize an image. Raises TrainingError, with `path` in its sentence, when the crop reaches outside it."""
    height, width = pixels_HWC.shape[:2]
    box = Box(*clip_format.crop) if clip_format.crop else centred_box(width, height, clip_format.frame_size.shape)
    if not box.inside(width, height):
        raise TrainingError(_outside(box, path, (width, height)))
    cropped = np.ascontiguousarray(pixels_HWC[box.y : box.y + box.height, box.x : box.x + box.width])
    rows, columns = clip_format.frame_size
    smaller = box.width >= columns and box.height >= rows
    interpolation = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(cropped, (columns, rows), interpolation=interpolation), dtype=np.uint8)


class _Crop:
    """Cuts the crop of a clip out of its frames. Where their size changes and not their shape, the crop changes with it."""

    def __init__(self, path: Path, clip_format: ClipFormat) -> None:
        self._path, self._format = path, clip_format
        self._first: TimedFrame | None = None

    def pixels_HWC(self, frame: TimedFrame) -> NDArray[np.uint8]:
        self._first = self._first or frame
        height, width = self._format.frame_size
        return frame.shown.resized_HWC(self._box(frame, self._first), width, height)

    def _box(self, frame: TimedFrame, first: TimedFrame) -> Box:
        size, first_size = frame.shown.size, first.shown.size
        if self._format.crop is None:
            return centred_box(*size, self._format.frame_size.shape)
        wanted = Box(*self._format.crop)
        if not wanted.inside(*first_size):
            raise TrainingError(_outside(wanted, self._path, first_size))
        box = _scaled(wanted, first_size, size)
        if not box.inside(*size):
            before, after = (f"{width}x{height}" for width, height in (first_size, size))
            raise TrainingError(
                f"The frame size of {self._path} changes from {before} to {after} at {frame.time_s - first.time_s:.2f} s and then "
                f"cannot hold the crop x={box.x} y={box.y} w={box.width} h={box.height}; give a crop within both, or cut the film there."
            )
        return box


def _scaled(box: Box, before: tuple[int, int], after: tuple[int, int]) -> Box:
    """Return the same part of a frame of another size; the same box where the shape is another."""
    if before == after or abs(before[0] * after[1] / (before[1] * after[0]) - 1.0) > SAME_SHAPE:
        return box
    x, y, right, bottom = (
        round(at * after[axis] / before[axis])
        for at, axis in ((box.x, 0), (box.y, 1), (box.x + box.width, 0), (box.y + box.height, 1))
    )
    return Box(x, y, max(right - x, 1), max(bottom - y, 1))


def _outside(box: Box, path: Path, size: tuple[int, int]) -> str:
    return (
        f"The crop x={box.x} y={box.y} w={box.width} h={box.height} reaches outside {path}, which is {size[0]}x{size[1]}; "
        "give clip.crop as [x, y, w, h] within it."
    )


def _tick_s(index: int, fps: int) -> float:
    return (index + 1) / fps - INSTANT_S
