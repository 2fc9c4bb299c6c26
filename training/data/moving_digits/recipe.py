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
LARGEST_FRAMES_BYTES = 256 << 20
"""Of all frames of a clip, which are in memory at once."""
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
        check_seconds(self.seconds)
        check_contents(self.size, self.fps, self.frames, self.digits)
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


def check_seconds(seconds: float) -> None:
    """Raise TrainingError for a length that no clip may have."""
    if not 1.0 <= seconds <= LONGEST_S:
        raise TrainingError(f"--seconds is {seconds:g}; 1 to {LONGEST_S:g} was expected.")


def check_contents(size: int, fps: int, frames: int, digits: int) -> None:
    """Raise TrainingError for a clip of more frames than fit into memory, or of too many digits or none."""
    if not 1 <= digits <= MOST_DIGITS:
        raise TrainingError(f"--count is {digits}; 1 to {MOST_DIGITS} digits was expected.")
    if frames * size**2 > LARGEST_FRAMES_BYTES:
        most_s = LARGEST_FRAMES_BYTES // size**2 / fps
        raise TrainingError(
            f"--seconds is {frames / fps:g}, too long for the memory at {fps} frames of {size}x{size} pixels a second; at most {most_s:.0f} s, "
            "or a smaller --size, was expected."
        )


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
        hashed = hashlib.sha256(self.frames_NHW.ravel().data)
        hashed.update(sixteen_bits(self.sound_S).astype("<i2").tobytes())
        hashed.update(self.labels.text().encode())
        return hashed.digest()


def sixteen_bits(sound_S: NDArray[np.float32]) -> NDArray[np.int16]:
    """Return samples [S] as whole numbers of 16 bits; -1 is -32768."""
    return np.clip(np.round(sound_S.astype(np.float64) * 32768.0), -32768, 32767).astype(np.int16)
