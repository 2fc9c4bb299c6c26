"""Any video file -> square pictures at a fixed rate and mono sound, on one timeline that starts with the first picture.

Picture k is the one on screen just before time (k + 1) / fps: sound window k ends there, so a picture never shows what its
window has not heard yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import soxr
from av.container import InputContainer
from numpy.typing import NDArray

from engine.errors import TrainingError

# N pictures, H W rows and columns, S samples of sound, C channels of sound

SILENCE_DB = -70.0
INSTANT_S = 1e-6  # "just before": less than any frame interval, more than the rounding of time stamps


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipFormat:
    """How a clip is cut and sampled."""

    fps: int
    image_size: int
    sample_rate_hz: int
    crop: tuple[int, int, int, int] | None = None
    """x, y, width and height in the file's own pixels, squeezed if not square; None takes the largest centred square."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A decoded clip. As many pictures as both tracks reach."""

    frames_NHWC: NDArray[np.uint8]
    sound_S: NDArray[np.float32]
    format: ClipFormat
    file: str

    def loudness_db(self) -> float:
        """Return the root mean square of the sound in dB of full scale, at least -200."""
        power = float(np.mean(np.square(self.sound_S, dtype=np.float64))) if len(self.sound_S) else 0.0
        return 10.0 * float(np.log10(max(power, 1e-20)))

    def notices(self) -> list[str]:
        """Say what is odd about the clip though it can be used."""
        level = self.loudness_db()
        if level > SILENCE_DB:
            return []
        return [f"{self.file}: the sound track is silent ({level:.0f} dB); the picture can not learn to move with it."]


def read_pictures(path: Path, clip_format: ClipFormat) -> Iterator[NDArray[np.uint8]]:
    """Decode pictures [H, W, 3] RGB at `fps`, cropped and resized by area.

    Raises TrainingError for a file that is missing, no video, damaged or smaller than the crop.
    """
    with open_media(path) as container:
        if not container.streams.video:
            raise TrainingError(f"{path} holds no picture; a video with sound was expected.")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        shown: NDArray[np.uint8] | None = None
        start_s: float | None = None
        end_s, count = 0.0, 0
        for frame in _decoded(container, stream, path):
            time_s = float(frame.time) if frame.time is not None else end_s
            start_s = time_s if start_s is None else start_s
            # The picture before stays on screen for every tick up to this one's time.
            while shown is not None and _tick_s(count, clip_format.fps) < time_s - start_s:
                yield shown
                count += 1
            shown = _fitted(frame, clip_format, path)
            end_s = time_s + _duration_s(frame, stream)
        while shown is not None and start_s is not None and _tick_s(count, clip_format.fps) < end_s - start_s:
            yield shown
            count += 1


def read_sound(path: Path, sample_rate_hz: int) -> NDArray[np.float32]:
    """Decode the first sound track [S], mixed to mono; sample 0 sounds with the first picture (zeros where it starts later).

    Raises TrainingError for a file that is missing, damaged or without sound.
    """
    with open_media(path) as container:
        if not container.streams.audio:
            raise TrainingError(f"{path} has no sound track; a video with sound was expected.")
        stream = container.streams.audio[0]
        planar = av.AudioResampler(format="fltp")
        parts: list[NDArray[np.float32]] = []
        start_s: float | None = None
        for frame in _decoded(container, stream, path):
            start_s = float(frame.time or 0.0) if start_s is None else start_s
            parts += [part.to_ndarray().mean(axis=0, dtype=np.float32) for part in planar.resample(frame)]
        rate_hz = int(stream.rate or sample_rate_hz)
    if not parts or start_s is None:
        raise TrainingError(f"{path} has an empty sound track; a video with sound was expected.")
    sound_S = np.concatenate(parts)
    late = round((start_s - _first_picture_s(path)) * rate_hz)
    sound_S = np.concatenate([np.zeros(late, np.float32), sound_S]) if late > 0 else sound_S[-late:]
    return np.asarray(soxr.resample(sound_S, rate_hz, sample_rate_hz, quality="HQ"), dtype=np.float32)


def open_media(path: Path) -> InputContainer:
    """Open a media file for reading. Raises TrainingError when it is missing or no media file."""
    if not path.is_file():
        raise TrainingError(f"{path} does not exist; give the path of a video file.")
    try:
        return av.open(str(path))
    except av.FFmpegError as error:
        raise TrainingError(f"{path} is not a video that can be read ({error.strerror}).") from error


def picture_rate(path: Path) -> float:
    """Return the file's own pictures a second. Raises TrainingError when it holds no picture."""
    with open_media(path) as container:
        if not container.streams.video or not container.streams.video[0].average_rate:
            raise TrainingError(f"{path} holds no moving picture; a video with sound was expected.")
        return float(container.streams.video[0].average_rate)


def _tick_s(index: int, fps: int) -> float:
    return (index + 1) / fps - INSTANT_S


def _decoded(container: InputContainer, stream: Any, path: Path) -> Iterator[Any]:
    try:
        yield from container.decode(stream)
    except av.FFmpegError as error:
        raise TrainingError(
            f"{path} is damaged ({error.strerror}); repair it with: ffmpeg -err_detect ignore_err -i {path.name} repaired.mp4"
        ) from error


def _first_picture_s(path: Path) -> float:
    with open_media(path) as container:
        if container.streams.video:
            for frame in _decoded(container, container.streams.video[0], path):
                return float(frame.time or 0.0)
    return 0.0


def _duration_s(frame: Any, stream: Any) -> float:
    if frame.duration and frame.time_base:
        return float(frame.duration * frame.time_base)
    return 1.0 / float(stream.average_rate or 25)


def _fitted(frame: Any, clip_format: ClipFormat, path: Path) -> NDArray[np.uint8]:
    picture_HWC = np.rot90(frame.to_ndarray(format="rgb24"), k=round(frame.rotation / 90))
    height, width = picture_HWC.shape[:2]
    side = min(height, width)
    x, y, w, h = clip_format.crop or ((width - side) // 2, (height - side) // 2, side, side)
    if x < 0 or y < 0 or w < 1 or h < 1 or x + w > width or y + h > height:
        raise TrainingError(
            f"The crop x={x} y={y} w={w} h={h} reaches outside {path}, which is {width}x{height}; give clip.crop as [x, y, w, h] within it."
        )
    cut = np.ascontiguousarray(picture_HWC[y : y + h, x : x + w])
    size = (clip_format.image_size, clip_format.image_size)
    smaller = min(w, h) >= clip_format.image_size
    return np.asarray(
        cv2.resize(cut, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC), dtype=np.uint8
    )
