"""Samples of a run: a contact sheet with real frames above generated ones, and a video of both with the sound."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from engine.core.atomic_files import write_bytes

# N frames, H W rows and columns, S samples of sound

SHEET_COLUMNS = 8
VIDEO_SECONDS = 10.0
AUDIO_BLOCK = 1024
ANIMATION_SECONDS, ANIMATION_FPS, ANIMATION_WIDTH = 5.0, 10.0, 384


def contact_sheet(
    real_NHWC: NDArray[np.uint8], fake_NHWC: NDArray[np.uint8], columns: int = SHEET_COLUMNS
) -> NDArray[np.uint8]:
    """Return one image with frames spread over the segment: real in the upper row, generated in the lower row."""
    chosen = np.linspace(0, len(real_NHWC) - 1, min(columns, len(real_NHWC))).round().astype(int)
    return np.concatenate([np.concatenate(list(row[chosen]), axis=1) for row in (real_NHWC, fake_NHWC)], axis=0)


def side_by_side(
    real_NHWC: NDArray[np.uint8], fake_NHWC: NDArray[np.uint8], seconds: float, fps: int
) -> NDArray[np.uint8]:
    """Return the first `seconds` of both, real on the left and generated on the right."""
    count = round(seconds * fps)
    return np.concatenate([real_NHWC[:count], fake_NHWC[:count]], axis=2)


def animation(frames_NHWC: NDArray[np.uint8], fps: int) -> tuple[NDArray[np.uint8], float]:
    """Return a smaller version for a log that cannot hold a video, and its frames a second."""
    step = max(1, round(fps / ANIMATION_FPS))
    chosen = frames_NHWC[: round(ANIMATION_SECONDS * fps) : step]
    height, width = chosen.shape[1:3]
    shrink = min(1.0, ANIMATION_WIDTH / width)
    size = (round(width * shrink), round(height * shrink))
    smaller = [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in chosen]
    return np.stack(smaller), fps / step


def write_png(path: Path, image_HWC: NDArray[np.uint8]) -> None:
    """Write an RGB image atomically. Raises OSError."""
    encoded, content = cv2.imencode(".png", image_HWC[:, :, ::-1])
    assert encoded
    write_bytes(path, content.tobytes())


def write_video(
    path: Path, frames_NHWC: NDArray[np.uint8], sound_S: NDArray[np.float32], fps: int, sample_rate_hz: int
) -> None:
    """Write H.264 with AAC mono atomically. Raises OSError."""
    write_bytes(path, encoded_video(frames_NHWC, sound_S, fps, sample_rate_hz))


def encoded_video(frames_NHWC: NDArray[np.uint8], sound_S: NDArray[np.float32], fps: int, sample_rate_hz: int) -> bytes:
    """Return an MP4 of H.264 with AAC mono."""
    height, width = frames_NHWC.shape[1:3]
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=fps, options={"crf": "18"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        audio = container.add_stream("aac", rate=sample_rate_hz, layout="mono")
        for frame_HWC in frames_NHWC:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame_HWC), format="rgb24")
            container.mux(video.encode(frame))
        container.mux(video.encode())
        for start in range(0, len(sound_S), AUDIO_BLOCK):
            block = np.ascontiguousarray(sound_S[None, start : start + AUDIO_BLOCK], dtype=np.float32)
            sound = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
            sound.sample_rate, sound.pts, sound.time_base = sample_rate_hz, start, Fraction(1, sample_rate_hz)
            container.mux(audio.encode(sound))
        container.mux(audio.encode())
    return file.getvalue()
