"""What a clip of moving digits is made by, and the clip."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import TrainingError
from training.data.moving_digits.labels import ClipLabels

# N frames, H W rows and columns, S samples of sound

SMALLEST_PX, LARGEST_PX = 32, 512
SAMPLE_RATES_HZ = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
"""Those of AAC; all are more than twice the highest tone, 1633 Hz."""
LONGEST_S = 600.0
MOST_DIGITS = 8
REFERENCE_PX = 64
"""Sizes and speeds are given for a frame of this size and grow with it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """M3SO, moving digits with sound and a surprise obstacle, after Chatterjee and Cherian (Sound2Sight, ECCV 2020).

    What differs from the original's program is told in docs/moving-digits.md.
    """

    size: int = 64
    """Rows and columns of a frame."""
    fps: int = 20
    seconds: float = 3.0
    sample_rate_hz: int = 16_000
    digits: int = 1
    has_obstacle: bool = True
    kick: float = 1.0
    """How many times quicker a digit is just after a bounce; 1 is M3SO. With more, motion has a peak where the sound has one."""

    def __post_init__(self) -> None:
        if not SMALLEST_PX <= self.size <= LARGEST_PX or self.size % 2:
            raise TrainingError(
                f"--size is {self.size}; an even number from {SMALLEST_PX} to {LARGEST_PX} pixels was expected, such as 64."
            )
        if self.sample_rate_hz not in SAMPLE_RATES_HZ:
            rates = ", ".join(map(str, SAMPLE_RATES_HZ))
            raise TrainingError(f"--rate is {self.sample_rate_hz}; one of {rates} Hz was expected.")
        if not 1 <= self.fps <= 240 or self.sample_rate_hz % self.fps:
            raise TrainingError(
                f"--fps is {self.fps}; a whole number up to 240 that divides {self.sample_rate_hz} Hz was expected, such as 20."
            )
        if not 1.0 <= self.seconds <= LONGEST_S:
            raise TrainingError(f"--seconds is {self.seconds:g}; 1 to {LONGEST_S:g} was expected.")
        if not 1 <= self.digits <= MOST_DIGITS:
            raise TrainingError(f"--count is {self.digits}; 1 to {MOST_DIGITS} digits was expected.")
        if not 1.0 <= self.kick <= 4.0:
            raise TrainingError(f"--kick is {self.kick:g}; 1 to 4 was expected, 1 for M3SO.")

    @property
    def name(self) -> str:
        return ("M3SO" if self.has_obstacle else "M3SO-NB") + (f", kick {self.kick:g}" if self.kick > 1.0 else "")

    @property
    def frames(self) -> int:
        return round(self.seconds * self.fps)

    @property
    def hop_samples(self) -> int:
        return self.sample_rate_hz // self.fps

    @property
    def digit_size(self) -> int:
        return self.scaled(28)

    @property
    def obstacle_size(self) -> int:
        """A quarter of the frame: the original's, larger than a digit, leaves digits no room to move."""
        return self.size // 4

    def scaled(self, pixels: float) -> int:
        """Return a length of the frame of 64 pixels in this one."""
        return round(pixels * self.size / REFERENCE_PX)


@dataclass(frozen=True, slots=True)
class MadeClip:
    """A clip as it is made, before any encoder."""

    frames_NHW: NDArray[np.uint8]
    """Grey."""
    sound_S: NDArray[np.float32]
    """In [-1, 1]."""
    labels: ClipLabels

    def digest(self) -> bytes:
        """Return the SHA-256 of the frames' bytes, the samples rounded to 16 bits and the labels."""
        hashed = hashlib.sha256(np.ascontiguousarray(self.frames_NHW).tobytes())
        hashed.update(sixteen_bits(self.sound_S).astype("<i2").tobytes())
        hashed.update(self.labels.text().encode())
        return hashed.digest()


def sixteen_bits(sound_S: NDArray[np.float32]) -> NDArray[np.int16]:
    """Return samples [S] as whole numbers of 16 bits; -1 is -32768."""
    return np.clip(np.round(sound_S.astype(np.float64) * 32768.0), -32768, 32767).astype(np.int16)
