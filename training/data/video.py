"""A decoded clip, and the mono sound of any video file on the timeline that starts with the first frame."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import soxr
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream
from numpy.typing import NDArray

from engine.core.errors import TrainingError

# N frames, H W rows and columns, S samples of sound, C channels of sound

SILENCE_DB = -70.0
LOUDNESS_BLOCK = 1 << 20
LOOKED_AT = 32
STILL_LEVELS = 8
"""Of 255: changes up to this are compression's, not motion."""
LISTED_CUTS = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipFormat:
    """Frame rate, size, crop and sample rate of a decoded clip."""

    fps: int
    image_size: int
    sample_rate_hz: int
    crop: tuple[int, int, int, int] | None = None
    """x, y, width and height in displayed pixels, squeezed if not square; None takes the largest centred square."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A decoded clip, as long as the shorter of its two tracks."""

    frames_NHWC: NDArray[np.uint8]
    sound_S: NDArray[np.float32]
    format: ClipFormat
    file: str
    cuts_s: tuple[float, ...] = ()
    """Times of the scene cuts."""
    mended: tuple[str, ...] = ()
    """One sentence for each thing in the file that decoding has mended."""

    def loudness_db(self) -> float:
        """Return the root mean square of the sound in dB of full scale, at least -200."""
        starts = range(0, len(self.sound_S), LOUDNESS_BLOCK)
        energy = sum(float(np.square(self.sound_S[s : s + LOUDNESS_BLOCK], dtype=np.float64).sum()) for s in starts)
        return 10.0 * float(np.log10(max(energy / max(len(self.sound_S), 1), 1e-20)))

    def notices(self) -> list[str]:
        """Return one sentence for each thing that makes the clip hard to learn."""
        notices, level = list(self.mended), self.loudness_db()
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


def read_sound(path: Path, sample_rate_hz: int) -> NDArray[np.float32]:
    """Decode the first sound track [S], mixed to mono; sample 0 belongs to the first frame (zeros where the sound starts later).

    Raises TrainingError for a file that is missing, damaged or without sound.
    """
    sound_S, start_s, rate_hz = read_track(path)
    late = round((start_s - _first_frame_s(path)) * rate_hz)
    sound_S = np.concatenate([np.zeros(late, np.float32), sound_S]) if late > 0 else sound_S[-late:]
    return resampled(sound_S, rate_hz, sample_rate_hz)


def read_track(path: Path) -> tuple[NDArray[np.float32], float, int]:
    """Decode the first sound track [S] of any media file, mixed to mono; return it, its start time in seconds and its own rate.

    Raises TrainingError for a file that is missing, damaged or without sound.
    """
    with open_media(path) as container:
        if not container.streams.audio:
            raise TrainingError(f"{path} has no sound track; a video with sound was expected.")
        stream = container.streams.audio[0]
        interleaved = av.AudioResampler(format="flt")
        parts: list[NDArray[np.float32]] = []
        start_s: float | None = None
        for frame in _decoded(container, stream, path):
            start_s = float(frame.time or 0.0) if start_s is None else start_s
            parts += [mono(part) for part in interleaved.resample(frame)]
        rate_hz = track_rate_hz(stream)
    if not parts or start_s is None or not rate_hz:
        raise TrainingError(f"{path} has an empty sound track; a video with sound was expected.")
    return np.concatenate(parts), start_s, rate_hz


def mono(frame: av.AudioFrame) -> NDArray[np.float32]:
    """Return the mean [S] of the channels of interleaved sound (separate planes of 8 and more crash PyAV 18)."""
    return frame.to_ndarray().reshape(frame.samples, -1).mean(axis=1, dtype=np.float32)


def track_rate_hz(stream: Any) -> int:
    """Return the rate of a sound track; 0 where it is unknown, as in a damaged file whose codec is unknown too."""
    return int(getattr(stream, "rate", 0) or 0)


def resampled(sound_S: NDArray[np.float32], rate_hz: int, sample_rate_hz: int) -> NDArray[np.float32]:
    """Return the sound [S] at another rate."""
    return np.asarray(soxr.resample(sound_S, rate_hz, sample_rate_hz, quality="HQ"), dtype=np.float32)


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


def _decoded(container: InputContainer, stream: Any, path: Path) -> Iterator[Any]:
    try:
        yield from container.decode(stream)
    except av.FFmpegError as error:
        raise TrainingError(
            f"{path} is damaged ({error.strerror}); repair it with: ffmpeg -err_detect ignore_err -i {path.name} repaired.mp4"
        ) from error


def _first_frame_s(path: Path) -> float:
    with open_media(path) as container:
        for track in _video_tracks(container)[:1]:
            for frame in _decoded(container, track, path):
                return float(frame.time or 0.0)
    return 0.0
