"""Decode any video file into square frames at a fixed rate, on a timeline that starts with the first frame, as its sound does.

Frame k is on screen just before time (k + 1) / fps. Sound window k ends there, so a frame never shows a sound that its
window does not contain yet.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream
from numpy.typing import NDArray

from engine.core.errors import TrainingError
from engine.media import opening, tracks
from engine.media.packets import Packets

# N frames, H W rows and columns, S samples of sound

SILENCE_DB = -70.0
LOUDNESS_BLOCK = 1 << 20
LOOKED_AT = 32
STILL_LEVELS = 8
"""Of 255: changes up to this are compression's, not motion."""
LISTED_CUTS = 8
INSTANT_S = 1e-6  # "just before": less than any frame interval, more than the rounding of time stamps


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipFormat:
    """Frame rate, size, crop and sample rate of a decoded clip."""

    fps: int
    image_size: int
    sample_rate_hz: int
    crop: tuple[int, int, int, int] | None = None
    """x, y, width and height in the file's own pixels, squeezed if not square; None takes the largest centred square."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A decoded clip, as long as the shorter of its two tracks."""

    frames_NHWC: NDArray[np.uint8]
    sound_S: NDArray[np.float32]
    format: ClipFormat
    file: str
    cuts_s: tuple[float, ...] = ()
    """Times of the scene cuts."""
    sound_notices: tuple[str, ...] = ()
    """One sentence for each thing that was mended in the sound."""

    def loudness_db(self) -> float:
        """Return the root mean square of the sound in dB of full scale, at least -200."""
        starts = range(0, len(self.sound_S), LOUDNESS_BLOCK)
        energy = sum(float(np.square(self.sound_S[s : s + LOUDNESS_BLOCK], dtype=np.float64).sum()) for s in starts)
        return 10.0 * float(np.log10(max(energy / max(len(self.sound_S), 1), 1e-20)))

    def notices(self) -> list[str]:
        """Return one sentence for each thing that makes the clip hard to learn."""
        notices, level = [f"{self.file}: {notice}" for notice in self.sound_notices], self.loudness_db()
        if level <= SILENCE_DB:
            notices.append(
                f"{self.file}: the sound track is silent ({level:.0f} dB); the model cannot learn to move with it."
            )
        if self._is_still():
            notices.append(f"{self.file}: one still frame from start to end; the model cannot learn to move.")
        if self.cuts_s:
            first_s, end_s = self.longest_shot_s()
            notices.append(
                f"{self.file}: scene {'cut' if len(self.cuts_s) == 1 else 'cuts'} at {_listed(self.cuts_s)}; the model will learn to "
                f"jump. Use one shot; the longest runs from {first_s:g} s to {end_s:g} s."
            )
        return notices

    def _is_still(self) -> bool:
        """Tell a clip in which nothing changes, as far as frames spread over it show."""
        if len(self.frames_NHWC) < 2:
            return False
        chosen = np.unique(np.linspace(0, len(self.frames_NHWC) - 1, LOOKED_AT).round().astype(int))
        first_HWC = self.frames_NHWC[0].astype(np.int16)
        return all(int(np.abs(self.frames_NHWC[i] - first_HWC).max()) <= STILL_LEVELS for i in chosen)

    def longest_shot_s(self) -> tuple[float, float]:
        """Return start and end in seconds of the longest part without a scene cut."""
        borders = [0.0, *self.cuts_s, round(len(self.frames_NHWC) / self.format.fps, 2)]
        return max(itertools.pairwise(borders), key=lambda shot: shot[1] - shot[0])


def _listed(times_s: tuple[float, ...]) -> str:
    shown = [f"{time_s:g} s" for time_s in times_s[:LISTED_CUTS]]
    more = len(times_s) - len(shown)
    last = f"{more} more" if more else shown.pop()
    return f"{', '.join(shown)} and {last}" if shown else last


def read_frames(path: Path, clip_format: ClipFormat) -> Iterator[NDArray[np.uint8]]:
    """Decode frames [H, W, 3] RGB at `fps`, cropped and resized by area.

    Raises TrainingError for a file that is missing, no video, damaged or smaller than the crop.
    """
    with open_media(path) as container:
        stream = video_track(container, path)
        stream.thread_type = "AUTO"
        yield from at_frame_rate(_timed_frames(container, stream, clip_format, path), clip_format.fps)


def at_frame_rate(
    timed: Iterable[tuple[float | None, float, NDArray[np.uint8]]], fps: int
) -> Iterator[NDArray[np.uint8]]:
    """Resample frames, each with its time in seconds (None: after the frame before) and its duration, to `fps` frames a second.

    Time starts with the first frame.
    """
    current: NDArray[np.uint8] | None = None
    start_s: float | None = None
    end_s, count = 0.0, 0
    for given_s, duration_s, frame in timed:
        time_s = end_s if given_s is None else given_s
        start_s = time_s if start_s is None else start_s
        # The frame before stays on screen for every tick up to this frame's time.
        while current is not None and _tick_s(count, fps) < time_s - start_s:
            yield current
            count += 1
        current, end_s = frame, time_s + duration_s
    while current is not None and start_s is not None and _tick_s(count, fps) < end_s - start_s:
        yield current
        count += 1


def _timed_frames(
    container: InputContainer, stream: Any, clip_format: ClipFormat, path: Path
) -> Iterator[tuple[float | None, float, NDArray[np.uint8]]]:
    for frame in _decoded(container, stream, path):
        time_s = float(frame.time) if frame.time is not None else None
        frame_HWC = np.rot90(frame.to_ndarray(format="rgb24"), k=round(frame.rotation / 90))
        yield time_s, _duration_s(frame, stream), crop_and_resize(frame_HWC, clip_format, path)


def open_media(path: Path) -> InputContainer:
    """Open a media file for reading. Raises TrainingError when it is missing or is not a media file."""
    if not path.is_file():
        raise TrainingError(f"{path} does not exist; give the path of a video file.")
    try:
        return av.open(str(path), metadata_errors="replace")
    except av.FFmpegError as error:
        raise TrainingError(
            f"{path} is not a video that can be read ({error.strerror}); give a video file with sound, such as .mp4, .mov or .mkv."
        ) from error


def video_track(container: InputContainer, path: Path) -> VideoStream:
    """Return the first video track. Raises TrainingError where there is none; the cover of a song is none."""
    tracks = _video_tracks(container)
    if not tracks and container.streams.video:
        raise TrainingError(
            f"{path} is music with a cover image, which never moves; give a video with the sound that moves it."
        )
    if not tracks:
        raise TrainingError(f"{path} has no video track; a video with sound was expected.")
    return tracks[0]


def _video_tracks(container: InputContainer) -> list[VideoStream]:
    return [track for track in container.streams.video if Disposition.attached_pic not in track.disposition]


def file_frame_rate(path: Path) -> float:
    """Return the file's own frames a second. Raises TrainingError when it has no video track."""
    with open_media(path) as container:
        rate = video_track(container, path).average_rate
        if not rate:
            raise TrainingError(f"{path} has no video track with a frame rate; a video with sound was expected.")
        return float(rate)


def _tick_s(index: int, fps: int) -> float:
    return (index + 1) / fps - INSTANT_S


def _decoded(container: InputContainer, stream: Any, path: Path) -> Iterator[Any]:
    try:
        yield from container.decode(stream)
    except av.FFmpegError as error:
        raise TrainingError(
            f"{path} is damaged ({error.strerror}); repair it with: ffmpeg -err_detect ignore_err -i {path.name} repaired.mp4"
        ) from error


def first_frame_s(path: Path) -> float | None:
    """Return the time of the first frame on the file's clock; None for a file without video. Raises MediaError as `open_media`."""
    with opening.open_media(path) as container:
        for track in tracks.video_tracks(container)[:1]:
            for packet in Packets(container, track, None):
                # A damaged packet is no frame.
                with contextlib.suppress(av.FFmpegError):
                    for frame in packet.decode():
                        return float(getattr(frame, "time", None) or 0.0)
    return None


def _duration_s(frame: Any, stream: Any) -> float:
    if frame.duration and frame.time_base:
        return float(frame.duration * frame.time_base)
    return 1.0 / float(stream.average_rate or 25)


def crop_and_resize(frame_HWC: NDArray[np.uint8], clip_format: ClipFormat, path: Path) -> NDArray[np.uint8]:
    """Crop and resize one frame. Raises TrainingError, with `path` in its sentence, when the crop reaches outside the frame."""
    height, width = frame_HWC.shape[:2]
    side = min(height, width)
    x, y, w, h = clip_format.crop or ((width - side) // 2, (height - side) // 2, side, side)
    if x < 0 or y < 0 or w < 1 or h < 1 or x + w > width or y + h > height:
        raise TrainingError(
            f"The crop x={x} y={y} w={w} h={h} reaches outside {path}, which is {width}x{height}; give clip.crop as [x, y, w, h] within it."
        )
    cropped = np.ascontiguousarray(frame_HWC[y : y + h, x : x + w])
    size = (clip_format.image_size, clip_format.image_size)
    smaller = min(w, h) >= clip_format.image_size
    return np.asarray(
        cv2.resize(cropped, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC), dtype=np.uint8
    )
