"""The original's recipe (github.com/merlresearch/Sound2Sight, M3SO_Gen_Code) with all its quirks, for comparison.

With MNIST's training files and the same seed, frames and samples are those of the original's program. Its quirks: the two tones of a
symbol lie above half the sample rate for most symbols; samples run from 0 to 65534 and wrap in 16 bits, so that quiet tones become
loud; one bounce changes the tones of all digits; a digit leaves the frame by up to 2 pixels before it turns; the face of the block that
is met is told from the digit's top left corner, whichever corner met it; at 48 pixels the block finds no free place and covers the digit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import TrainingError
from training.data.moving_digits.digit_images import SIDE, DigitImages
from training.data.moving_digits.labels import LEGACY, Against, Bounce, ClipLabels, Obstacle
from training.data.moving_digits.recipe import LARGEST_PX, LONGEST_S, MadeClip, check_contents

# N frames, K digits, H W rows and columns, S samples of sound

FPS, SAMPLE_RATE_HZ = 10, 4400
ROW_CYCLES, COLUMN_CYCLES = (16, 32, 64, 128), (256, 512, 1024, 2048)
"""Of the tones in one frame."""
TWO_PI = 6.283185306
FULL_SCALE = 32767.0
EDGE_SYMBOL, BLOCK_SYMBOL = 11, 12
MARGIN_PX = 2
BLOCK_LARGER_PX = 4
PLACE_TRIES = 10_000
MET: tuple[Against, Against] = ("edge", "obstacle")

Array = NDArray[np.float64]
Box = tuple[float, float, float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class LegacyRecipe:
    """The options of the original's command line."""

    size: int = 48
    frames: int = 30
    digits: int = 1
    has_obstacle: bool = True
    block_start_frame: int = 10
    fps: int = FPS
    sample_rate_hz: int = SAMPLE_RATE_HZ

    def __post_init__(self) -> None:
        if not SIDE + BLOCK_LARGER_PX < self.size <= LARGEST_PX or self.size % 2:
            raise TrainingError(
                f"--size is {self.size}; an even number from 34 to {LARGEST_PX} pixels was expected, the original has 48."
            )
        if not self.block_start_frame + 1 < self.frames <= LONGEST_S * FPS:
            raise TrainingError(
                f"--seconds gives {self.frames} frames; with --legacy more than 1.1 s and at most {LONGEST_S:g} s were expected, the original has 3."
            )
        check_contents(self.size, FPS, self.frames, self.digits)

    @property
    def name(self) -> str:
        return ("M3SO" if self.has_obstacle else "M3SO-NB") + LEGACY


def legacy_clips(recipe: LegacyRecipe, images: DigitImages, seed: int) -> Iterator[MadeClip]:
    """Yield clip after clip; each goes on with the random numbers of the one before, as in the original."""
    random = np.random.RandomState(seed)
    number = 0
    while True:
        yield _legacy_clip(recipe, images, random, seed, number)
        number += 1


def _legacy_clip(
    recipe: LegacyRecipe, images: DigitImages, random: np.random.RandomState, seed: int, number: int
) -> MadeClip:
    room = recipe.size - SIDE
    directions = np.pi * (random.rand(recipe.digits) * 2 - 1)
    speeds = random.randint(5, size=recipe.digits) + 2
    velocities = np.array(
        [(speed * math.cos(turn), speed * math.sin(turn)) for turn, speed in zip(directions, speeds, strict=True)]
    )
    chosen = random.randint(0, len(images.labels_N), recipe.digits)
    # Twice over 255 and back in single precision: some levels lose one on the way.
    digits = [(images.images_NHW[index] / np.float32(255) * np.float32(255)).astype(np.uint8) for index in chosen]
    places = np.array([(random.rand() * room, random.rand() * room) for _ in range(recipe.digits)])
    block: Box | None = None
    frames, sounds, drawn_places, bounces = [], [], [], list[Bounce]()
    for frame in range(recipe.frames):
        if recipe.has_obstacle and frame > recipe.block_start_frame and block is None:
            block = _placed_block(places, recipe.size, random)
        frames.append(_frame(recipe.size, digits, places, block))
        drawn_places.append(tuple((x, y) for x, y in places.round(3).tolist()))
        met = [_bounce(velocity, place, room, block) for velocity, place in zip(velocities, places, strict=True)]
        places = places + velocities
        at_edge, at_block = any(edge for edge, _ in met), any(blocked for _, blocked in met)
        levels = [float(np.linalg.norm(place)) / math.sqrt(2.0 * room**2) for place in places]
        symbols = [_symbol(int(label), at_edge, at_block) for label in images.labels_N[chosen]]
        sounds.append(_sound(symbols, levels))
        if frame + 1 < recipe.frames:
            # The tone sounds in this frame's time, and the turn is seen in the next one.
            bounces += [
                Bounce(frame=frame, time_s=frame / FPS, digit=digit, against=against)
                for digit, each in enumerate(met)
                for against, is_met in zip(MET, each, strict=True)
                if is_met
            ]
    obstacle = None
    if block is not None:
        obstacle = Obstacle(
            frame=recipe.block_start_frame + 1, place=(block[0], block[1]), size=int(block[2] - block[0])
        )
    labels = ClipLabels(
        recipe=recipe.name,
        seed=seed,
        number=number,
        size=recipe.size,
        fps=FPS,
        sample_rate_hz=SAMPLE_RATE_HZ,
        digit_size=SIDE,
        digits=tuple(images.labels_N[chosen].tolist()),
        places=tuple(drawn_places),
        bounces=tuple(bounces),
        obstacle=obstacle,
    )
    sound_S = np.concatenate(sounds).astype(np.float32) / np.float32(32768)
    return MadeClip(np.stack(frames), sound_S, labels)


def _frame(size: int, digits: list[NDArray[np.uint8]], places: Array, block: Box | None) -> NDArray[np.uint8]:
    frame_HW = np.zeros((size, size), np.float32)
    if block is not None:
        x, y, right, below = map(int, block)
        frame_HW[y:below, x:right] = 1.0
    for digit_HW, place in zip(digits, places, strict=True):
        x, y = map(int, place)
        first_x, first_y = max(x, 0), max(y, 0)
        seen_HW = digit_HW[first_y - y : size - y, first_x - x : size - x]
        rows, columns = seen_HW.shape
        frame_HW[first_y : first_y + rows, first_x : first_x + columns] += seen_HW / np.float32(255)
    return (frame_HW * np.float32(255)).clip(0, 255).astype(np.uint8)


def _bounce(velocity: Array, place: Array, room: int, block: Box | None) -> tuple[bool, bool]:
    """Turn a velocity, in place, where the next step would leave the frame or enter the block; tell which of them."""
    ahead = place + velocity
    outside = (ahead < -MARGIN_PX) | (ahead > room + MARGIN_PX)
    velocity[outside] *= -1.0
    blocked = block is not None and _any_corner_in(block, _box(ahead, SIDE))
    if block is not None and blocked:
        velocity *= _turn(block, ahead, place)
    return bool(outside.any()), blocked


def _turn(block: Box, ahead: Array, place: Array) -> Array:
    """Return the factors of the velocity after the block was met.

    The way of the top left corner is cut with the line of each of the block's four faces, where both lengths come out positive.
    """
    left, above, right, below = block
    corners = np.array([(left, above), (right, above), (right, below), (left, below)])
    way = place - ahead
    faces = corners - np.roll(corners, -1, axis=0)
    cut = []
    for number, face in enumerate(faces):
        system = np.stack([way, -face]).T
        lengths = np.linalg.inv(system) @ (ahead - corners[(number + 1) % 4])
        cut.append(bool(lengths[0] > 0 and lengths[1] > 0))
    if sum(cut) != 1:
        return np.array([-1.0, -1.0])
    return np.array([1.0, -1.0]) if cut[0] or cut[2] else np.array([-1.0, 1.0])


def _placed_block(places: Array, size: int, random: np.random.RandomState) -> Box:
    """Return a place that no corner of a digit lies in; after 10,000 tries the last one, as the original does."""
    block_size = SIDE + BLOCK_LARGER_PX
    room = 0.75 * size - block_size
    corner = np.zeros(2)
    for _ in range(PLACE_TRIES):
        corner = np.array((random.rand() * room + size / 4, random.rand() * room + size / 4))
        if not any(_any_corner_in(_box(corner, block_size), _box(place, SIDE)) for place in places):
            break
    return _box(corner.astype(int), block_size)


def _box(place: NDArray[np.float64] | NDArray[np.int_], side: int) -> Box:
    x, y = place.tolist()
    return x, y, x + side, y + side


def _any_corner_in(box: Box, other: Box) -> bool:
    left, above, right, below = box
    return any(left <= x <= right and above <= y <= below for x in other[::2] for y in other[1::2])


def _symbol(label: int, at_edge: bool, at_block: bool) -> int:
    if at_edge == at_block:
        return label
    return EDGE_SYMBOL if at_edge else BLOCK_SYMBOL


def _sound(symbols: list[int], levels: list[float]) -> NDArray[np.int16]:
    """Return the samples [S] of one frame, wrapped into 16 bits."""
    samples = SAMPLE_RATE_HZ // FPS
    part_S = np.arange(samples) / samples
    total_S = np.zeros(samples)
    for symbol, level in zip(symbols, levels, strict=True):
        tones_S = np.sin(part_S * ROW_CYCLES[symbol // 4] * TWO_PI) + np.sin(
            part_S * COLUMN_CYCLES[symbol % 4] * TWO_PI
        )
        total_S += (FULL_SCALE + level * (tones_S / 2) * FULL_SCALE).astype(np.int64)
    return (total_S / len(symbols)).astype(np.int64).astype(np.int16)
