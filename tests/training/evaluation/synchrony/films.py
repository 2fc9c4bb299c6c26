"""Films of moving digits whose sound comes late by a known number of frames."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from training.data.moving_digits.clip_making import make_clip
from training.data.moving_digits.digit_images import drawn_digits
from training.data.moving_digits.files import write_clip_files
from training.data.moving_digits.recipe import MadeClip, Recipe

KICKED = Recipe(seconds=10.0, has_obstacle=False, kick=3.0)
PLAIN = Recipe(seconds=10.0, has_obstacle=False)
IMAGES = drawn_digits().part("train")


def made(recipe: Recipe, number: int) -> MadeClip:
    return make_clip(recipe, IMAGES, 0, "train", number)


def late_film(folder: Path, recipe: Recipe, number: int = 0, late_frames: int = 0) -> Path:
    """Write a film whose sound is late by frames, or early by a negative number; what is missing is silence."""
    clip, shift = made(recipe, number), late_frames * recipe.hop_samples
    sound_S = np.zeros_like(clip.sound_S)
    if shift >= 0:
        sound_S[shift:] = clip.sound_S[: len(sound_S) - shift]
    else:
        sound_S[:shift] = clip.sound_S[-shift:]
    folder.mkdir(parents=True, exist_ok=True)
    return write_clip_files(folder, "train", dataclasses.replace(clip, sound_S=sound_S))
