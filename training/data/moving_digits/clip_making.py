"""Make a clip of moving digits: frames, sound and labels from a recipe, a seed and the clip's number."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from training.data.moving_digits.digit_images import DigitImages, Part
from training.data.moving_digits.labels import ClipLabels
from training.data.moving_digits.motion import Motion, move_digits
from training.data.moving_digits.recipe import MadeClip, Recipe
from training.data.moving_digits.tones import EDGE_KEY, OBSTACLE_KEY, key_tones

# N frames, K digits, H W rows and columns, S samples of sound

LEAST_LEVEL = 0.25
"""Of a tone in the top left corner; in the bottom right one it is 1. The original goes down to silence there."""
PARTS_OF_A_PIXEL = 16
"""Digits are drawn between pixels, so that steady motion looks steady."""
STREAMS = {"train": 0, "test": 1}


def make_clip(recipe: Recipe, images: DigitImages, seed: int, part: Part, number: int) -> MadeClip:
    """Return clip `number` of a part; the same arguments give the same clip, whichever others are made.

    `images` are those of the part.
    """
    # No numbers but uniform ones are drawn: numpy keeps these from version to version.
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(STREAMS[part], number))))
    chosen = np.floor(random.random(recipe.digits) * len(images.labels_N)).astype(int)
    motion = move_digits(recipe, random)
    digits = tuple(images.labels_N[chosen].tolist())
    return MadeClip(
        draw_frames(recipe, [images.images_NHW[index] for index in chosen], motion),
        _sound(recipe, digits, motion),
        ClipLabels(
            recipe=recipe.name,
            seed=seed,
            number=number,
            size=recipe.size,
            fps=recipe.fps,
            sample_rate_hz=recipe.sample_rate_hz,
            digit_size=recipe.digit_size,
            digits=digits,
            places=tuple(tuple((x, y) for x, y in frame) for frame in motion.places_NK2.round(3).tolist()),
            bounces=motion.bounces,
            obstacle=motion.obstacle,
        ),
    )


def draw_frames(recipe: Recipe, images: list[NDArray[np.uint8]], motion: Motion) -> NDArray[np.uint8]:
    """Return the frames [N, H, W]: digits and obstacle add up, and are white at most."""
    side = recipe.digit_size
    if side != images[0].shape[0]:
        images = [np.asarray(cv2.resize(each, (side, side), interpolation=cv2.INTER_AREA), np.uint8) for each in images]
    # Places in sixteenths of a pixel, in whole numbers, so that every machine draws the same.
    places_NK2 = np.floor(motion.places_NK2 * PARTS_OF_A_PIXEL + 0.5).astype(int)
    # One more row and column for what a digit at the edge leaves there: nothing.
    canvas_HW = np.zeros((recipe.size + 1, recipe.size + 1), np.uint32)
    frames_NHW = np.empty((recipe.frames, recipe.size, recipe.size), np.uint8)
    for frame_HW, places_K2 in zip(frames_NHW, places_NK2.tolist(), strict=True):
        canvas_HW[:] = 0
        for image_HW, (across, down) in zip(images, places_K2, strict=True):
            x, y = across // PARTS_OF_A_PIXEL, down // PARTS_OF_A_PIXEL
            canvas_HW[y : y + side + 1, x : x + side + 1] += _between_pixels(image_HW, across, down)
        frame_HW[:] = np.minimum(canvas_HW[:-1, :-1] // PARTS_OF_A_PIXEL**2, 255)
    if (obstacle := motion.obstacle) is not None:
        x, y = map(int, obstacle.place)
        frames_NHW[obstacle.frame :, y : y + obstacle.size, x : x + obstacle.size] = 255
    return frames_NHW


def _between_pixels(image_HW: NDArray[np.uint8], across: int, down: int) -> NDArray[np.uint32]:
    """Return an image moved by a part of a pixel, one row and column larger, times PARTS_OF_A_PIXEL squared."""
    right, below = across % PARTS_OF_A_PIXEL, down % PARTS_OF_A_PIXEL
    padded_HW = np.pad(image_HW.astype(np.uint32), 1)
    rows_HW = (PARTS_OF_A_PIXEL - below) * padded_HW[1:] + below * padded_HW[:-1]
    return (PARTS_OF_A_PIXEL - right) * rows_HW[:, 1:] + right * rows_HW[:, :-1]


def _sound(recipe: Recipe, digits: tuple[int, ...], motion: Motion) -> NDArray[np.float32]:
    """Return the mean of the digits' sounds [S]."""
    farthest = np.hypot(*2 * [recipe.size - recipe.digit_size])
    sound_S = np.zeros(recipe.frames * recipe.hop_samples)
    for number, digit in enumerate(digits):
        keys = [str(digit)] * recipe.frames
        for bounce in motion.bounces:
            if bounce.digit == number:
                keys[bounce.frame] = EDGE_KEY if bounce.against == "edge" else OBSTACLE_KEY
        distance_N = np.hypot(*motion.places_NK2[:, number].T) / farthest
        levels_N = LEAST_LEVEL + (1.0 - LEAST_LEVEL) * distance_N
        sound_S += key_tones(keys, levels_N, recipe.hop_samples, recipe.sample_rate_hz)
    return (sound_S / len(digits)).astype(np.float32)
