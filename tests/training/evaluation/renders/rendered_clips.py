"""Clips of moving digits, and what stands for rendered ones: the same with grain, and the same sound. Small functions that are known."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.training.clips import write_clip
from tests.training.evaluation.synchrony.films import IMAGES
from training.data.moving_digits.clip_making import make_clip
from training.data.moving_digits.recipe import Recipe

FPS, SECONDS = 6, 2.0
"""AVSyncD's."""
LABELS = ("digit zero", "digit one", "digit two", "digit three")


def clips(folder: Path, numbers: Sequence[int], *, grain: float = 0.0, seconds: float = SECONDS) -> list[Path]:
    """Write clips of 6 frames a second; `grain` is the deviation of the noise on them, in bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    recipe, found = Recipe(seconds=seconds, fps=FPS, sample_rate_hz=48_000, kick=3.0, has_obstacle=False), list[Path]()
    for number in numbers:
        clip, random = make_clip(recipe, IMAGES, 0, "train", number), np.random.default_rng(number)
        noisy_NHW = clip.frames_NHW + grain * random.standard_normal(clip.frames_NHW.shape)
        grey_NHW = noisy_NHW.round().clip(0, 255).astype(np.uint8)
        path = folder / f"clip{number}.mp4"
        frames = np.repeat(grey_NHW[..., None], 3, axis=3)
        found.append(write_clip(path, frames, clip.sound_S[None], FPS, rate_hz=recipe.sample_rate_hz))
    return found


def write_labels(path: Path, names: Sequence[str], labels: Sequence[str] = LABELS) -> Path:
    path.write_text("".join(f"{name},{label}\n" for name, label in zip(names, labels, strict=False)))
    return path


def like_text(frames_THWC: NDArray[np.uint8], text: str) -> NDArray[np.float64]:
    """A text is as bright as it has letters: 1 where a frame is as bright."""
    return 1.0 - np.abs(frames_THWC.mean(axis=(1, 2, 3)) / 255.0 - len(re.sub(r"\W", "", text)) / 100.0)


def like_sound(frames_THWC: NDArray[np.uint8], sound_S: NDArray[np.float32], rate_hz: int) -> NDArray[np.float64]:
    """Bright frames are like loud sounds."""
    loudness = float(np.sqrt(np.square(sound_S).mean()))
    return 1.0 - np.abs(frames_THWC.mean(axis=(1, 2, 3)) / 255.0 - loudness)


def quadrants(frames_THWC: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Where the light is, as the probability of four classes: a sample a frame."""
    light_T22 = np.stack([cv2.resize(f.mean(axis=2), (2, 2), interpolation=cv2.INTER_AREA) for f in frames_THWC])
    light_T4 = light_T22.reshape(-1, 4) + 1e-3
    return light_T4 / light_T4.sum(axis=1, keepdims=True)
