"""A made scene for tiny teachers: a disc swells with the level of the sound, in a colour that the first frame shows.

Every sound is another one, so that neither the number of a frame nor the first frame tells how large the disc is: the sound alone
does. What is measured is the mean brightness of frames beside the level of the sound.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.diffusion.avsyncd.config import FPS, FRAMES
from training.diffusion.filter_bank import IMAGEBIND
from training.diffusion.imagebind_audio import SOUND_S

# S samples, F frames, N samples of a frame, H W rows and columns

RATE_HZ = IMAGEBIND.sample_rate_hz
SIDE = 64
QUIET_DB, LOUD_DB = -40.0, -8.0
"""Levels of the smallest and of the largest disc."""
RADII = (6.0, 26.0)
GROUND = (28.0, 34.0, 62.0)
EDGE = 2.5
"""Pixels from the disc's colour to the ground's."""


def made_sound(random: np.random.Generator, seconds: float) -> NDArray[np.float32]:
    """Return mono sound [S] of strokes, held notes, swells and rests: noise, tones and clicks of random levels and lengths."""
    length = round(seconds * RATE_HZ)
    parts, made = list[NDArray[np.float32]](), 0
    while made < length:
        parts.append(_event(random, round(random.uniform(0.15, 0.9) * RATE_HZ)))
        made += len(parts[-1])
    return np.concatenate(parts)[:length]


def _event(random: np.random.Generator, length: int) -> NDArray[np.float32]:
    times_S = np.arange(length) / RATE_HZ
    loud_db = random.uniform(QUIET_DB, LOUD_DB + 4.0)
    course = random.choice(["stroke", "held", "swell", "rest"])
    if course == "stroke":
        level_S = loud_db - random.uniform(20.0, 90.0) * times_S
    elif course == "swell":
        level_S = np.linspace(QUIET_DB - 6.0, loud_db, length)
    else:
        level_S = np.full(length, loud_db if course == "held" else QUIET_DB - 12.0)
    kind = random.choice(["noise", "tone", "clicks"])
    if kind == "noise":
        wave_S = random.standard_normal(length)
    elif kind == "tone":
        pitch_hz = 80.0 * 2.0 ** random.uniform(0.0, 4.0)
        wave_S = sum(np.sin(2.0 * np.pi * pitch_hz * (n + 1) * times_S) / (n + 1) for n in range(5))
    else:
        wave_S = random.standard_normal(length) * np.exp(-40.0 * (times_S % random.uniform(0.04, 0.12)))
    wave_S = wave_S / np.sqrt(np.mean(np.square(wave_S)) + 1e-12)
    return np.clip(wave_S * 10.0 ** (level_S / 20.0), -1.0, 1.0).astype(np.float32)


def levels(sound_S: NDArray[np.float32], fps: int) -> NDArray[np.float64]:
    """Return the level [F] of the sound that follows each frame, from 0 for quiet to 1 for loud."""
    hop = RATE_HZ / fps
    starts_F = np.round(np.arange(int(len(sound_S) / hop + 1e-6)) * hop).astype(int)
    parts = (sound_S[start : start + round(hop)] for start in starts_F)
    level_F = np.array([10.0 * np.log10(np.mean(np.square(part, dtype=np.float64)) + 1e-12) for part in parts])
    return np.clip((level_F - QUIET_DB) / (LOUD_DB - QUIET_DB), 0.0, 1.0)


def frames(level_F: NDArray[np.float64], colour: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return the frames [F, H, W, 3] of discs of these levels in a colour of 0 to 255."""
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    away_HW = np.hypot(rows - SIDE / 2 + 0.5, columns - SIDE / 2 + 0.5)
    radius_F = RADII[0] + (RADII[1] - RADII[0]) * level_F
    disc = np.clip((radius_F[:, None, None] - away_HW) / EDGE + 0.5, 0.0, 1.0)[..., None]
    ground = np.array(GROUND) * (0.6 + 0.8 * rows[..., None] / SIDE)
    return np.rint(ground + disc * (colour - ground)).astype(np.uint8)


def colour_of(random: np.random.Generator) -> NDArray[np.float64]:
    """Return a warm colour, from red to yellow."""
    return np.array([random.uniform(220.0, 250.0), random.uniform(80.0, 220.0), random.uniform(20.0, 90.0)])


def made_clip(random: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return the frames [F, H, W, 3] and the sound [S] of two seconds, as AVSyncD sees at once."""
    sound_S = made_sound(random, SOUND_S)
    return frames(levels(sound_S, FPS)[:FRAMES], colour_of(random)), sound_S


def brightness(frames_FHW3: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the mean brightness [F] of frames."""
    return frames_FHW3.mean(axis=(1, 2, 3), dtype=np.float64)
