"""Samples of a run: a contact sheet of real above generated pictures, and a video of both with the sound."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from engine.errors import TrainingError

# N pictures, H W rows and columns, S samples of sound

SHEET_COLUMNS = 8
VIDEO_SECONDS = 10.0
AUDIO_BLOCK = 1024


def contact_sheet(
    real_NHWC: NDArray[np.uint8], fake_NHWC: NDArray[np.uint8], columns: int = SHEET_COLUMNS
) -> NDArray[np.uint8]:
    """Return one picture: consecutive pairs spread over the fold, real in the upper row and generated in the lower."""
    chosen = np.linspace(0, len(real_NHWC) - 1, min(columns, len(real_NHWC))).round().astype(int)
    return np.concatenate([np.concatenate(list(row[chosen]), axis=1) for row in (real_NHWC, fake_NHWC)], axis=0)


def write_png(path: Path, picture_HWC: NDArray[np.uint8]) -> None:
    """Write an RGB picture. Raises TrainingError when it cannot be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), picture_HWC[:, :, ::-1]):
        raise TrainingError(f"Cannot write {path}; free some space or choose another --run-folder.")


def write_video(
    path: Path, frames_NHWC: NDArray[np.uint8], sound_S: NDArray[np.float32], fps: int, sample_rate_hz: int
) -> None:
    """Write H.264 with AAC mono. Raises TrainingError when it cannot be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = frames_NHWC.shape[1:3]
    try:
        with av.open(str(path), "w") as container:
            video = container.add_stream("libx264", rate=fps, options={"crf": "18"})
            video.width, video.height, video.pix_fmt = width, height, "yuv420p"
            audio = container.add_stream("aac", rate=sample_rate_hz, layout="mono")
            for picture in frames_NHWC:
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
                container.mux(video.encode(frame))
            container.mux(video.encode())
            for start in range(0, len(sound_S), AUDIO_BLOCK):
                block = np.ascontiguousarray(sound_S[None, start : start + AUDIO_BLOCK], dtype=np.float32)
                sound = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
                sound.sample_rate, sound.pts, sound.time_base = sample_rate_hz, start, Fraction(1, sample_rate_hz)
                container.mux(audio.encode(sound))
            container.mux(audio.encode())
    except (av.FFmpegError, OSError) as error:
        raise TrainingError(
            f"Cannot write {path} ({error.strerror}); free some space or choose another --run-folder."
        ) from error
