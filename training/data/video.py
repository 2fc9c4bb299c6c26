"""A decoded clip: frames and mono sound on one timeline that starts with the first frame."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# N frames, H W rows and columns, S samples of sound

SILENCE_DB = -70.0
LOUDNESS_BLOCK = 1 << 20
LOOKED_AT = 32
STILL_LEVELS = 8
"""Of 255: changes up to this are compression's, not motion."""
LISTED_CUTS = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipFormat:
    """Frame rate, size, crop and sample rate of a decoded clip."""

    fps: int
    image_size: int
    sample_rate_hz: int
    crop: tuple[int, int, int, int] | None = None
    """x, y, width and height in displayed pixels, squeezed if not square; None takes the largest centred square."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A decoded clip, as long as the shorter of its two tracks."""

    frames_NHWC: NDArray[np.uint8]
    sound_S: NDArray[np.float32]
    format: ClipFormat
    file: str
    cuts_s: tuple[float, ...] = ()
    """Times of the scene cuts."""
    mended: tuple[str, ...] = ()
    """One sentence for each thing in the file that decoding has mended."""

    def loudness_db(self) -> float:
        """Return the root mean square of the sound in dB of full scale, at least -200."""
        starts = range(0, len(self.sound_S), LOUDNESS_BLOCK)
        energy = sum(float(np.square(self.sound_S[s : s + LOUDNESS_BLOCK], dtype=np.float64).sum()) for s in starts)
        return 10.0 * float(np.log10(max(energy / max(len(self.sound_S), 1), 1e-20)))

    def notices(self) -> list[str]:
        """Return one sentence for each thing that makes the clip hard to learn."""
        notices, level = list(self.mended), self.loudness_db()
        if level <= SILENCE_DB:
            notices.append(
                f"{self.file}: the sound track is silent ({level:.0f} dB); the model cannot learn to move with it."
            )
        if self._is_still():
            notices.append(f"{self.file}: one still frame from start to end; the model cannot learn to move.")
        if self.cuts_s:
            first_s, end_s = self.longest_shot_s()
            notices.append(
                f"{self.file}: scene {'cut' if len(self.cuts_s) == 1 else 'cuts'} at {_listed(self.cuts_s)}; the model will learn to "
                f"jump. Use one shot; the longest runs from {first_s:g} s to {end_s:g} s."
            )
        return notices

    def _is_still(self) -> bool:
        """Tell a clip in which nothing changes, as far as frames spread over it show."""
        if len(self.frames_NHWC) < 2:
            return False
        chosen = np.unique(np.linspace(0, len(self.frames_NHWC) - 1, LOOKED_AT).round().astype(int))
        first_HWC = self.frames_NHWC[0].astype(np.int16)
        return all(int(np.abs(self.frames_NHWC[i] - first_HWC).max()) <= STILL_LEVELS for i in chosen)

    def longest_shot_s(self) -> tuple[float, float]:
        """Return start and end in seconds of the longest part without a scene cut."""
        borders = [0.0, *self.cuts_s, round(len(self.frames_NHWC) / self.format.fps, 2)]
        return max(itertools.pairwise(borders), key=lambda shot: shot[1] - shot[0])


def _listed(times_s: tuple[float, ...]) -> str:
    shown = [f"{time_s:g} s" for time_s in times_s[:LISTED_CUTS]]
    more = len(times_s) - len(shown)
    last = f"{more} more" if more else shown.pop()
    return f"{', '.join(shown)} and {last}" if shown else last
