"""Digits that move straight on and turn back at the edges of the frame and at an obstacle."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.moving_digits.labels import Against, Bounce, Obstacle
from training.data.moving_digits.recipe import REFERENCE_PX, Recipe

# N frames, K digits, 2: right and down, in pixels

SPEED_PX_PER_S = (20.0, 60.0)
"""In a frame of 64 pixels: the original's 2 to 6 pixels a frame at 10 frames a second."""
OBSTACLE_FROM_S = 1.1
OBSTACLE_TRIES = 50
KICK_DECAY_S = 0.4

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Motion:
    """Where the digits are, and where they turned back."""

    places_NK2: Array
    bounces: tuple[Bounce, ...]
    obstacle: Obstacle | None


@dataclass(slots=True)
class _Digit:
    place: Array
    velocity: Array
    """Pixels a frame, without the kick."""
    frames_since_bounce: float = math.inf


class _Field:
    """The edges and the obstacle between which digits move."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe, self.obstacle = recipe, None
        self.room = float(recipe.size - recipe.digit_size)
        self.obstacle: Obstacle | None = None

    def move(self, digit: _Digit) -> Against | None:
        """Move a digit by one frame; return what it turned back at."""
        digit.frames_since_bounce += 1
        ahead = digit.place + digit.velocity * self._kick(digit)
        crossed = (ahead < 0.0) | (ahead > self.room)
        met = self._met(digit.place, ahead)
        turned = crossed | met
        if not turned.any():
            digit.place = ahead
            return None
        before = digit.velocity
        digit.velocity, digit.frames_since_bounce = np.where(turned, -before, before), 0.0
        for velocity in (digit.velocity, -before):
            ahead = digit.place + velocity * self._kick(digit)
            if not ((ahead < 0.0) | (ahead > self.room)).any() and not self._overlaps(ahead):
                digit.velocity, digit.place = velocity, ahead
                break
        # Wedged in, it stays for a frame.
        return "obstacle" if met.any() else "edge"

    def place_obstacle(self, frame: int, digits: list[_Digit], random: np.random.Generator) -> None:
        """Let the obstacle appear where no digit is, if there is such a place in this frame."""
        size = self.recipe.obstacle_size
        for _ in range(OBSTACLE_TRIES):
            x, y = np.floor(random.random(2) * (self.recipe.size - size + 1)).tolist()
            tried = Obstacle(frame=frame, place=(x, y), size=size)
            if not any(self._overlaps(digit.place, tried) for digit in digits):
                self.obstacle = tried
                return

    def _kick(self, digit: _Digit) -> float:
        decay = math.exp(-digit.frames_since_bounce / (KICK_DECAY_S * self.recipe.fps))
        return 1.0 + (self.recipe.kick - 1.0) * decay

    def _met(self, place: Array, ahead: Array) -> NDArray[np.bool_]:
        """Return along which axes the obstacle is in the way; along both where that cannot be told."""
        if not self._overlaps(ahead):
            return np.zeros(2, bool)
        along = np.array(
            [self._overlaps(np.array([ahead[0], place[1]])), self._overlaps(np.array([place[0], ahead[1]]))]
        )
        return along if along[0] != along[1] else np.ones(2, bool)

    def _overlaps(self, place: Array, obstacle: Obstacle | None = None) -> bool:
        """Tell whether a digit at `place` overlaps the obstacle."""
        obstacle = obstacle or self.obstacle
        if obstacle is None:
            return False
        side = self.recipe.digit_size
        return all(
            at < first + obstacle.size and at + side > first
            for at, first in zip(place.tolist(), obstacle.place, strict=True)
        )


def move_digits(recipe: Recipe, random: np.random.Generator) -> Motion:
    """Return the motion of a whole clip; the same numbers give the same motion."""
    field = _Field(recipe)
    digits = [_started(field.room, recipe, random) for _ in range(recipe.digits)]
    obstacle_from = math.ceil(OBSTACLE_FROM_S * recipe.fps)
    places, bounces = [[digit.place for digit in digits]], list[Bounce]()
    for frame in range(1, recipe.frames):
        for number, digit in enumerate(digits):
            if (against := field.move(digit)) is not None:
                bounces.append(Bounce(frame=frame, time_s=frame / recipe.fps, digit=number, against=against))
        places.append([digit.place for digit in digits])
        if recipe.has_obstacle and field.obstacle is None and frame >= obstacle_from:
            field.place_obstacle(frame, digits, random)
    return Motion(np.array(places), tuple(bounces), field.obstacle)


def _started(room: float, recipe: Recipe, random: np.random.Generator) -> _Digit:
    place_x, place_y, turn, quickness = random.random(4).tolist()
    slowest, quickest = SPEED_PX_PER_S
    speed = (slowest + quickness * (quickest - slowest)) * recipe.size / REFERENCE_PX / recipe.fps
    angle = math.pi * (2.0 * turn - 1.0)
    return _Digit(room * np.array([place_x, place_y]), speed * np.array([math.cos(angle), math.sin(angle)]))
