"""What the measures of synchrony take of a film: its sound, the onsets in it, and its motion from frame to frame."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.core.errors import TrainingError
from training.core.frame_size import FrameSize, shaped_size
from training.core.rate import FASTEST_FPS
from training.data.clip_sound import read_sound, resampled
from training.data.frames import file_frame_rate, frames_with_sound, read_frames, shown_size
from training.data.video import SILENCE_DB, ClipFormat
from training.evaluation.metrics.synchrony import motion
from training.evaluation.synchrony.flow_motion import mean_flow
from training.evaluation.synchrony.sound_onsets import RATE_HZ as ONSET_RATE_HZ
from training.evaluation.synchrony.sound_onsets import sound_onsets

# N frames, H W rows and columns, C colours, S samples of sound

SOUND_RATE_HZ = 16_000
FLOW_SIDE, MOTION_SIDE = 256, 128
"""Mean sides of the frames in which the flow and the change from frame to frame are measured; smaller films are not enlarged."""
DIFFERENCE_S = 0.15
"""Tracks whose lengths differ by more are told; encoders leave some."""
SLACK = 0.95
"""A film may be so much slower than the rate that it is measured at: 23.976 frames a second are 24."""

Series = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Film:
    """A film from its first frame on, as long as the shorter of its tracks."""

    path: Path
    fps: int
    frames: int
    sound_S: NDArray[np.float32]
    """At SOUND_RATE_HZ."""
    onsets_s: Series
    motion_N: Series
    """Mean absolute difference from the frame before; 0 for the first."""
    flow_N: Series
    """Mean optical flow into each frame in pixels of the film; the first has that of the second, as in AV-Align. Empty where it was
    not asked for."""
    notices: tuple[str, ...]

    @property
    def duration_s(self) -> float:
        return self.frames / self.fps

    @property
    def is_silent(self) -> bool:
        return level_db(self.sound_S) <= SILENCE_DB


def check_fps(fps: int | None) -> None:
    """Raise TrainingError for a rate to measure at that is none; None is each film's own."""
    if fps is not None and not 1 <= fps <= FASTEST_FPS:
        raise TrainingError(f"--fps is {fps}; 1 to {FASTEST_FPS} was expected.")


def read_film(path: Path, fps: int | None = None, *, with_flow: bool = True) -> Film:
    """Read a film at its own rate, rounded to a whole one, unless `fps` is given. Raises MediaError when it cannot be read."""
    own_fps = file_frame_rate(path)
    fps = fps or max(1, round(own_fps))
    sound_S = read_sound(path, SOUND_RATE_HZ)
    own = FrameSize(*reversed(shown_size(path)))
    size = shaped_size(min(FLOW_SIDE, own.mean_side), own.width, own.height)
    most = frames_with_sound(len(sound_S), SOUND_RATE_HZ, fps)
    slack = round(DIFFERENCE_S * fps) + 1
    flow: list[float] = []
    clip_format = ClipFormat(fps=fps, image_size=size.image_size, sample_rate_hz=SOUND_RATE_HZ)
    with closing(read_frames(path, clip_format)) as frames:
        measured = itertools.islice(frames, most)
        motion_N = motion(_with_flow(measured, flow) if with_flow else map(_for_motion, measured))
        longer = sum(1 for _ in itertools.islice(frames, slack)) == slack
    count = len(motion_N) if most else 0
    notices = _repeated(path.name, own_fps, fps) + _lengths(
        path.name, count / fps, len(sound_S) / SOUND_RATE_HZ, longer
    )
    is_silent = level_db(sound_S) <= SILENCE_DB
    if is_silent:
        notices.append(f"{path.name}: the sound is silent, so no motion can be in time with it.")
    scale = own.mean_side / size.mean_side
    return Film(
        path=path,
        fps=fps,
        frames=count,
        sound_S=sound_S[: round(count * SOUND_RATE_HZ / fps)],
        onsets_s=_onsets(path, count / fps) if with_flow and not is_silent else np.zeros(0),
        motion_N=motion_N[:count],
        flow_N=scale * np.array([*flow[:1], *flow])[:count],
        notices=tuple(notices),
    )


def film_of_frames(
    name: str, frames_NHWC: NDArray[np.uint8], sound_S: NDArray[np.float32], rate_hz: int, fps: int
) -> Film:
    """Return frames [N, H, W, 3] that are in memory, with their sound, as a film. Its flow is measured at MOTION_SIDE: a quarter of the time."""
    height, width = frames_NHWC.shape[1:3]
    flow: list[float] = []
    motion_N = motion(_with_flow(map(_for_motion, frames_NHWC), flow))
    heard_S = resampled(sound_S, rate_hz, SOUND_RATE_HZ)
    duration_s, is_silent = len(motion_N) / fps, level_db(heard_S) <= SILENCE_DB
    onsets_s = np.zeros(0) if is_silent else sound_onsets(resampled(sound_S, rate_hz, ONSET_RATE_HZ))
    scale = max(1.0, FrameSize(height, width).mean_side / MOTION_SIDE)
    return Film(
        path=Path(name),
        fps=fps,
        frames=len(motion_N),
        sound_S=heard_S[: round(duration_s * SOUND_RATE_HZ)],
        onsets_s=onsets_s[onsets_s < duration_s],
        motion_N=motion_N,
        flow_N=scale * np.array([*flow[:1], *flow]),
        notices=(),
    )


def level_db(sound_S: NDArray[np.float32]) -> float:
    """Return the root mean square in dB of full scale, at least -200."""
    power = float(np.square(sound_S, dtype=np.float64).mean()) if len(sound_S) else 0.0
    return 10.0 * float(np.log10(max(power, 1e-20)))


def _onsets(path: Path, duration_s: float) -> Series:
    onsets_s = sound_onsets(read_sound(path, ONSET_RATE_HZ))
    return onsets_s[onsets_s < duration_s]


def _with_flow(frames: Iterator[NDArray[np.uint8]], flow: list[float]) -> Iterator[NDArray[np.uint8]]:
    """Pass frames [H, W, C] on, reduced for `motion`, and append the flow from each to the next."""
    before_HW = None
    for frame_HWC in frames:
        grey_HW = np.asarray(cv2.cvtColor(frame_HWC, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
        if before_HW is not None:
            flow.append(mean_flow(before_HW, grey_HW))
        before_HW = grey_HW
        yield _for_motion(frame_HWC)


def _for_motion(frame_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = frame_HWC.shape[:2]
    size = FrameSize(height, width)
    if size.mean_side <= MOTION_SIDE:
        return frame_HWC
    rows, columns = shaped_size(MOTION_SIDE, width, height)
    return np.asarray(cv2.resize(frame_HWC, (columns, rows), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _repeated(name: str, own_fps: float, fps: int) -> list[str]:
    """Return a sentence where a film is measured at a higher rate than its own."""
    if own_fps >= SLACK * fps:
        return []
    return [
        f"{name} has {own_fps:g} frames a second and is measured at {fps}, so frames repeat: motion stands still between the film's own "
        "frames, and each of them makes a peak. Measure it at its own rate."
    ]


def _lengths(name: str, frames_s: float, sound_s: float, longer: bool) -> list[str]:
    """Return a sentence where the tracks have different lengths."""
    if longer:
        return [
            f"{name}: the frames go on after the sound, which ends at {sound_s:.1f} s; what comes after it is left out."
        ]
    if sound_s - frames_s > DIFFERENCE_S:
        return [
            f"{name}: the sound has {sound_s:.1f} s and the frames {frames_s:.1f} s; the rest of the sound is left out."
        ]
    return []
