"""Frames and small films of the gallery. T samples; H W C rows, columns, channels."""

# PyAV's types are incomplete.
# pyright: basic

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from engine.core.errors import MediaError
from engine.media.frame_reader import FrameReader
from training.data.scenes.soundtrack import RATE_HZ

FILM_S, LONG_SIDE_PX, MOST_BYTES = 10.0, 640, 1_500_000
SOUND_BITS_PER_S = 64_000
FIRST_SHARE, SMALLER = 0.88, 0.8
"""Of the bytes that may be, for the first try; a film that is larger is made again with so much of its rate."""
TRIES, LEAST_BITS_PER_S = 6, 20_000


def even_moments(shown_s: float, count: int) -> list[float]:
    """Return times spread evenly over what is shown."""
    return [(number + 0.5) * shown_s / count for number in range(count)]


def length_s(path: Path) -> float:
    """Return when the last frame of a film ends. Raises MediaError."""
    end_s = 0.0
    for frame in FrameReader(path).frames():
        end_s = frame.time_s + frame.duration_s
    return end_s


def frames_at(path: Path, times_s: Sequence[float]) -> list[NDArray[np.uint8]]:
    """Return the frames [H, W, C] on screen at times, which ascend; the last one after the end. Raises MediaError."""
    found: list[NDArray[np.uint8]] = []
    shown = None
    for frame in FrameReader(path).frames():
        while shown and len(found) < len(times_s) and frame.time_s > times_s[len(found)]:
            found.append(shown.pixels_HWC())
        if len(found) == len(times_s):
            return found
        shown = frame.shown
    if shown is None:
        raise MediaError(f"{path} holds no frame; give a film.")
    return found + [shown.pixels_HWC()] * (len(times_s) - len(found))


def write_small_film(
    film: Path, sound_T: NDArray[np.float32], fps: float, path: Path, most_bytes: int = MOST_BYTES
) -> None:
    """Write the beginning of a film with its sound, mono at RATE_HZ, in at most so many bytes. Raises MediaError."""
    frames = list(_small_frames(film))
    seconds = len(frames) / fps
    rate = max(int(most_bytes * 8.0 * FIRST_SHARE / max(seconds, 1.0)) - SOUND_BITS_PER_S, LEAST_BITS_PER_S)
    for _ in range(TRIES):
        _write(frames, sound_T, fps, path, min(rate, 4_000_000))
        if path.stat().st_size <= most_bytes:
            return
        rate = int(rate * SMALLER)
    raise MediaError(f"{path} is larger than {most_bytes:,} bytes at the lowest rate; shorten or shrink the film.")


def _small_frames(film: Path) -> Iterator[NDArray[np.uint8]]:
    for frame in FrameReader(film).frames():
        if frame.time_s >= FILM_S:
            return
        pixels_HWC = frame.shown.pixels_HWC()
        height, width = pixels_HWC.shape[:2]
        scale = min(1.0, LONG_SIDE_PX / max(height, width))
        size = (2 * round(0.5 * width * scale), 2 * round(0.5 * height * scale))
        yield cv2.resize(pixels_HWC, size, interpolation=cv2.INTER_AREA)


def _write(
    frames: Sequence[NDArray[np.uint8]], sound_T: NDArray[np.float32], fps: float, path: Path, bits_per_s: int
) -> None:
    rate = Fraction(fps).limit_denominator(1001)
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        video = container.add_stream(
            "libx264",
            rate=rate,
            options={"preset": "slow", "maxrate": str(int(1.6 * bits_per_s)), "bufsize": str(2 * bits_per_s)},
        )
        video.height, video.width = frames[0].shape[:2]
        video.pix_fmt, video.bit_rate = "yuv420p", bits_per_s
        audio = container.add_stream("aac", rate=RATE_HZ, layout="mono", bit_rate=SOUND_BITS_PER_S)
        for number, pixels_HWC in enumerate(frames):
            begin, end = int(number * RATE_HZ / fps), int((number + 1) * RATE_HZ / fps)
            container.mux(video.encode(av.VideoFrame.from_ndarray(pixels_HWC, format="rgb24")))
            part_T = sound_T[begin:end]
            if len(part_T):
                container.mux(audio.encode(_sound_frame(part_T, begin)))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))


def _sound_frame(part_T: NDArray[np.float32], begin: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(part_T[None]), format="fltp", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, begin, Fraction(1, RATE_HZ)
    return frame
