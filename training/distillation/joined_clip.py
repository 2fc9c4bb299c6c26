"""The clip that the live family is trained on: the rendered stretches one after the other, at a frame rate for the stage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.media.frame_reader import FrameReader
from training.diffusion.render_family import RENDER_RATE_HZ

# H W rows and columns, S samples of sound

LIVE_FPS = 24
"""The rates of all teachers divide it."""


@dataclass(frozen=True, slots=True)
class JoinedClip:
    """An offline family whose frames are rendered already.

    A teacher with few frames a second shows the sound that follows each frame; a live model knows only what was heard. So the
    image fades over to each frame while its sound is heard, and is there when that sound ends. From one stretch to the next it
    fades in the same way, so no join is a cut.
    """

    films: Sequence[Path]
    rendered_fps: int
    width: int
    height: int
    name: str = "teacher"
    sample_rate_hz: int = RENDER_RATE_HZ

    @property
    def fps(self) -> int:
        return self.rendered_fps * between(self.rendered_fps)

    def render(self, sound_S: NDArray[np.float32]) -> Iterator[NDArray[np.uint8]]:
        """Yield the frames [H, W, 3] for as much sound. Raises MediaError for a film that cannot be read."""
        frames = (frame.shown.pixels_HWC() for film in self.films for frame in FrameReader(film).frames())
        return faded(frames, between(self.rendered_fps))


def between(rendered_fps: int) -> int:
    """Return how many frames stand for one of the teacher's."""
    return max(1, LIVE_FPS // rendered_fps)


def faded(frames_NHWC: Iterable[NDArray[np.uint8]], count: int) -> Iterator[NDArray[np.uint8]]:
    """Yield `count` frames for each, the last of which is the frame itself and the others lead to it from the one before."""
    before_HWC: NDArray[np.float32] | None = None
    for frame_HWC in frames_NHWC:
        now_HWC = frame_HWC.astype(np.float32)
        from_HWC = now_HWC if before_HWC is None else before_HWC
        for share in np.arange(1, count + 1, dtype=np.float32) / count:
            yield np.rint(from_HWC + share * (now_HWC - from_HWC)).astype(np.uint8)
        before_HWC = now_HWC
