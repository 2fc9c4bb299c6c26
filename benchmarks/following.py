"""How far the brightness of a film goes along with the level of a sound: their correlation, at the delay where it is highest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.swelling_scene import brightness, levels
from engine.media.frame_reader import FrameReader

GRID_FPS = 24
TEACHER_FPS = 6
"""AVSyncD's."""
DELAYS = range(-4, 13)
"""Of the film behind the sound, on the grid: from a frame of AVSyncD before it to half a second after it."""

# N moments of the grid, F frames, S samples


@dataclass(frozen=True, slots=True)
class Brightness:
    """Of a film's frames."""

    times_F: NDArray[np.float64]
    """In seconds."""
    bright_F: NDArray[np.float64]
    """Means, of 255."""


@dataclass(frozen=True, slots=True)
class Following:
    """Of one film."""

    correlation: float
    delay_s: float
    """Of the film behind the sound."""
    swing: float
    """Levels of 255 between the darkest tenth of the frames and the brightest one."""

    @staticmethod
    def mean(several: Sequence[Following]) -> dict[str, float]:
        return {
            "correlation": float(np.mean([one.correlation for one in several])),
            "lowest": min(one.correlation for one in several),
            "delay_s": float(np.mean([one.delay_s for one in several])),
            "swing": float(np.mean([one.swing for one in several])),
        }


def brightness_in(film: Path) -> Brightness:
    """Return it of a film. Raises MediaError for one that cannot be read."""
    found = [(timed.time_s, float(timed.shown.pixels_HWC().mean())) for timed in FrameReader(film).frames()]
    times_F, bright_F = np.array(found).T
    return Brightness(times_F - times_F[0], bright_F)


def brightness_of(frames_FHW3: NDArray[np.uint8], fps: int) -> Brightness:
    """Return it of frames, so many a second."""
    return Brightness(np.arange(len(frames_FHW3)) / fps, brightness(frames_FHW3))


def followed_others(
    films: Sequence[Brightness], sounds: Sequence[NDArray[np.float32]], teacher_fps: int = TEACHER_FPS
) -> float:
    """Return the mean correlation of each film with the sounds of the others."""
    pairs = [(own, other) for own in range(len(films)) for other in range(len(films)) if own != other]
    return float(np.mean([following(films[own], sounds[other], teacher_fps).correlation for own, other in pairs]))


def following(seen: Brightness, sound_S: NDArray[np.float32], teacher_fps: int = TEACHER_FPS) -> Following:
    """Return how frames go along with a sound at RATE_HZ, whose level is the mean over one of the teacher's frames."""
    window = GRID_FPS // teacher_fps
    level_N = levels(sound_S, GRID_FPS)
    # Of the sound that follows a moment.
    level_N = np.convolve(level_N, np.ones(window) / window)[window - 1 :]
    bright_N = np.interp(np.arange(len(level_N)) / GRID_FPS, seen.times_F, seen.bright_F)
    best = max(DELAYS, key=lambda delay: _correlation(level_N, bright_N, delay))
    low, high = np.percentile(seen.bright_F, (10, 90))
    return Following(_correlation(level_N, bright_N, best), best / GRID_FPS, float(high - low))


def _correlation(level_N: NDArray[np.float64], bright_N: NDArray[np.float64], delay: int) -> float:
    first = max(0, delay)
    end = min(len(bright_N), len(level_N) + delay)
    level_N, bright_N = level_N[first - delay : end - delay], bright_N[first:end]
    if min(level_N.std(), bright_N.std()) < 1e-9:
        return 0.0
    return float(np.corrcoef(level_N, bright_N)[0, 1])
