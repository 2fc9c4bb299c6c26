"""Write clips of moving digits as ordinary video files with sound, with their labels beside them."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np

from engine.core.atomic_files import write_text
from engine.core.errors import TrainingError
from training.data.moving_digits.digit_images import Part
from training.data.moving_digits.labels import write_labels
from training.data.moving_digits.legacy import SAMPLE_RATE_HZ as LEGACY_RATE_HZ
from training.data.moving_digits.recipe import MadeClip, sixteen_bits

DESCRIPTION_FILE = "dataset.json"
CRF = "12"
LEGACY_BITS_PER_S = 2_000_000
AAC_BITS_PER_S = 96_000


def new_folder(folder: Path) -> None:
    """Make the folder of a data set. Raises TrainingError where it holds something or cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        occupied = next(folder.iterdir(), None)
    except OSError as error:
        raise TrainingError(f"Cannot write into {folder} ({error.strerror}); choose another folder with -o.") from error
    if occupied is not None:
        raise TrainingError(f"{folder} holds '{occupied.name}' already; choose an empty or a new folder with -o.")


def write_clip_files(folder: Path, part: Part, clip: MadeClip) -> Path:
    """Write PART/NUMBER.mp4 and .json, or .avi for the original's sample rate, and return the video's path.

    Raises TrainingError when they cannot be written.
    """
    is_legacy = clip.labels.sample_rate_hz == LEGACY_RATE_HZ
    path = folder / part / f"{clip.labels.number:06d}{'.avi' if is_legacy else '.mp4'}"
    try:
        path.parent.mkdir(exist_ok=True)
        with av.open(str(path), "w") as container:
            _encode(container, clip, is_legacy)
        write_labels(path.with_suffix(".json"), clip.labels)
    except (av.error.FFmpegError, OSError) as error:
        raise TrainingError(
            f"Cannot write {path} ({getattr(error, 'strerror', None) or error}); free some space or choose another folder with -o."
        ) from error
    return path


def _encode(container: Any, clip: MadeClip, is_legacy: bool) -> None:
    labels = clip.labels
    video = container.add_stream("mpeg4" if is_legacy else "libx264", rate=labels.fps)
    video.width = video.height = labels.size
    video.pix_fmt = "yuv420p"
    # Small frames: more threads in one encoder only wait for each other.
    video.codec_context.thread_count = 1
    audio = container.add_stream("pcm_s16le" if is_legacy else "aac", rate=labels.sample_rate_hz, layout="mono")
    if is_legacy:
        video.bit_rate = LEGACY_BITS_PER_S
    else:
        video.options = {"crf": CRF, "preset": "ultrafast"}
        audio.bit_rate = AAC_BITS_PER_S
    for frame_HW in clip.frames_NHW:
        grey_HWC = np.repeat(frame_HW[:, :, None], 3, axis=2)
        container.mux(video.encode(av.VideoFrame.from_ndarray(grey_HWC, format="rgb24")))
    container.mux(video.encode(None))
    sound = av.AudioFrame.from_ndarray(sixteen_bits(clip.sound_S)[None], format="s16", layout="mono")
    sound.sample_rate, sound.pts, sound.time_base = labels.sample_rate_hz, 0, Fraction(1, labels.sample_rate_hz)
    container.mux(audio.encode(sound))
    container.mux(audio.encode(None))


def write_description(folder: Path, about: dict[str, object]) -> None:
    """Write what the data set is; a folder without this file is not complete. Raises TrainingError."""
    path = folder / DESCRIPTION_FILE
    try:
        write_text(path, json.dumps(about, indent=1) + "\n")
    except OSError as error:
        raise TrainingError(f"Cannot write {path} ({error.strerror}); free some space.") from error
