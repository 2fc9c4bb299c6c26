"""What a tiny teacher is given: weights in the published layout, a photograph, and songs."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from tests.training.clips import write_wav
from tests.training.diffusion.avsyncd.published_folder import write_folder

RATE_HZ = 48000


def write_song(path: Path, seconds: float, tone_hz: float = 330.0) -> Path:
    """A tone that is struck every half second."""
    times_S = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    sound_S = 0.5 * np.sin(2.0 * np.pi * tone_hz * times_S) * np.exp(-6.0 * (times_S % 0.5))
    return write_wav(path, sound_S.astype(np.float32), RATE_HZ)


def write_given(folder: Path) -> Path:
    """Two songs of 4.5 s and 2.5 s, with a text and a sound of 0.5 s beside them."""
    write_folder(folder / "weights")
    cv2.imwrite(str(folder / "photo.png"), np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8))
    (folder / "songs" / "more").mkdir(parents=True)
    write_song(folder / "songs" / "long.wav", 4.5)
    write_song(folder / "songs" / "more" / "short.wav", 2.5, tone_hz=500.0)
    write_song(folder / "songs" / "stroke.wav", 0.5)
    (folder / "songs" / "notes.txt").write_text("no sound")
    return folder


def words(folder: Path, place: Path, *more: str) -> list[str]:
    """Return the command line for a run in `place`; a flag that is given again wins."""
    teacher = ["--teacher", "avsyncd", "--image", str(folder / "photo.png"), "--audio", str(folder / "songs")]
    teacher += ["--weights", str(folder / "weights"), "--text", "lions roaring", "--steps", "2", "--stretch", "2"]
    size = ["--width", "64", "--height", "32", "--minutes", "2"]
    return [*teacher, *size, "--run-folder", str(place / "run"), "--cache-folder", str(place / "cache"), *more]
