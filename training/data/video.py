"""A decoded clip: frames and mono sound on one timeline that starts with the first frame."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.core.frame_size import FrameSize, ImageSize
from training.data.stillness import is_still
from training.data.stored_array import StoredArray

# N frames, H W rows and columns, S samples of sound

SILENCE_DB = -70.0
SOUND_BLOCK = 1 << 20
LOOKED_AT = 32
LISTED_CUTS = 8


ClipFrames = NDArray[np.uint8] | StoredArray[np.uint8]
ClipSamples = NDArray[np.float32] | StoredArray[np.float32]
"""Slices of both are numpy arrays; ask for parts, for the whole may be gigabytes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipFormat:
    """Frame rate, size, crop and sample rate of a decoded clip."""

    fps: int
    image_size: ImageSize
    sample_rate_hz: int
    crop: tuple[int, int, int, int] | None = None
    """x, y, width and height in displayed pixels, squeezed if they have another shape than the image; None takes the largest centred part of that shape."""

    @property
    def frame_size(self) -> FrameSize:
        """Rows and columns of a frame."""
        return FrameSize.of(self.image_size)


@dataclass(frozen=True, slots=True)
class Clip:
    """A decoded clip, as long as the shorter of its two tracks."""

    frames_NHWC: ClipFrames
    sound_S: ClipSamples
    format: ClipFormat
    file: str
    cuts_s: tuple[float, ...] = ()
    """Times of the scene cuts."""
    mended: tuple[str, ...] = ()
    """One sentence for each thing in the file that decoding has mended."""

    def loudness_db(self) -> float:
        """Return the root mean square of the sound in dB of full scale, at least -200."""
        energy = sum(float(np.square(block_S, dtype=np.float64).sum()) for block_S in self._sound_blocks())
        return 10.0 * float(np.log10(max(energy / max(len(self.sound_S), 1), 1e-20)))

    def sound_checksum(self) -> int:
        """Return a checksum of the sound, to tell whether two processes have the same one."""
        checksum = 0
        for block_S in self._sound_blocks():
            checksum = zlib.crc32(block_S.data, checksum)
        return checksum

    def notices(self) -> list[str]:
        """Return one sentence for each thing that makes the clip hard to learn."""
        notices, level = list(self.mended), self.loudness_db()
        if level <= SILENCE_DB:
            notices.append(
                f"{self.file}: the sound track is silent ({level:.0f} dB); the model cannot learn to move with it."
            )
        if self.is_still():
            notices.append(f"{self.file}: one still frame from start to end; the model cannot learn to move.")
        if self.cuts_s:
            first_s, end_s = self.longest_shot_s()
            notices.append(
                f"{self.file}: scene {'cut' if len(self.cuts_s) == 1 else 'cuts'} at {_listed(self.cuts_s)}; the model will learn to "
                f"jump. Use one shot; the longest runs from {first_s:g} s to {end_s:g} s."
            )
        return notices

    def _sound_blocks(self) -> Iterator[NDArray[np.float32]]:
        return (self.sound_S[start : start + SOUND_BLOCK] for start in range(0, len(self.sound_S), SOUND_BLOCK))

    def is_still(self, share: float = 1.0) -> bool:
        """Tell a clip in which nothing changes in its leading `share`, as far as frames spread over it show."""
        last = max(int(share * len(self.frames_NHWC)) - 1, 0)
        chosen = np.unique(np.linspace(0, last, LOOKED_AT).round().astype(int))
        return is_still([self.frames_NHWC[index] for index in chosen])

    def longest_shot_s(self) -> tuple[float, float]:
        """Return start and end in seconds of the longest part without a scene cut."""
        borders = [0.0, *self.cuts_s, round(len(self.frames_NHWC) / self.format.fps, 2)]
        return max(itertools.pairwise(borders), key=lambda shot: shot[1] - shot[0])


def _listed(times_s: tuple[float, ...]) -> str:
    shown = [f"{time_s:g} s" for time_s in times_s[:LISTED_CUTS]]
    more = len(times_s) - len(shown)
    last = f"{more} more" if more else shown.pop()
    return f"{', '.join(shown)} and {last}" if shown else last
