"""The offset from sound to light in a film of the flashing window with the clicks in its sound track."""

# PyAV's types are incomplete.
# pyright: basic

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import ConfigError
from engine.ops.calibration.detection import Offset, click_times_s, flash_times_s, flashing_brightness, pair_offset

if TYPE_CHECKING:
    from engine.media.sound_reader import SoundReader

# T samples or frames, C channels, N patches of a frame

PATCHES = (32, 18)
"""Columns and rows of patches in a frame."""
LONGEST_S = 180.0
SOUND_HZ = 48000
HOP_JITTER_S = 0.06
"""Variation of the show's own latency: a hop at 20 fps, and a little."""


class Film(NamedTuple):
    """Sound and brightness of a film."""

    sound_T: NDArray[np.float32]
    sound_starts_s: float
    patches_TN: NDArray[np.float32]
    times_s: NDArray[np.float64]
    """Frame times, on the clock of the sound."""


def offset_of_film(path: Path | str, track: str | int | None = None) -> Offset:
    """Return the offset from clicks to flashes in a film. Raises ConfigError for a film without a clear one.

    `track` is the sound track, by number from 1 or language; None: the film's default one.
    """
    film = read_film(path, track)
    clicks_s = [film.sound_starts_s + time_s for time_s in click_times_s(film.sound_T, SOUND_HZ)]
    flashes_s = flash_times_s(flashing_brightness(film.patches_TN), film.times_s)
    frame_s = float(np.median(np.diff(film.times_s)))
    try:
        return pair_offset(clicks_s, flashes_s, HOP_JITTER_S + frame_s)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def read_film(path: Path | str, track: str | int | None = None) -> Film:
    """Read a film's sound as mono and its frames as patches. Raises MediaError for a file that cannot be read, and ConfigError."""
    times_s, patches = _read_patches(path)
    from engine.media.sound_reader import SoundReader

    with SoundReader(path, track) as reader:
        sound_T = _first_seconds(reader)
        starts_s = reader.start_s
    if len(times_s) < 3:
        raise ConfigError(f"{path} has too few frames; film the flashing window for twenty seconds.")
    return Film(sound_T, starts_s, np.stack(patches), np.asarray(times_s))


def _first_seconds(reader: SoundReader) -> NDArray[np.float32]:
    """Return the first LONGEST_S of the sound at SOUND_HZ."""
    from engine.media.channels import mix_down
    from engine.media.cleaning import silence_faults
    from engine.media.rate import RateConverter

    converter = RateConverter(reader.rate_hz, SOUND_HZ, 1)
    parts: list[NDArray[np.float32]] = []
    for block_TC in reader.blocks():
        parts.append(converter.feed(mix_down(silence_faults(block_TC)[0])[:, None]))
        if sum(map(len, parts)) > LONGEST_S * SOUND_HZ:
            break
    return np.concatenate([*parts, converter.finish()])[:, 0]


def _read_patches(path: Path | str) -> tuple[list[float], list[NDArray[np.float32]]]:
    """Return the times of the first LONGEST_S of frames, on the clock of the sound, and their patches [N]."""
    from engine.media.frame_reader import FrameReader

    times_s: list[float] = []
    patches: list[NDArray[np.float32]] = []
    for frame in FrameReader(path).frames():
        if times_s and frame.time_s - times_s[0] > LONGEST_S:
            break
        patches.append(frame.shown.squeezed_HWC(*PATCHES).mean(axis=2, dtype=np.float32).ravel())
        times_s.append(frame.time_s)
    return times_s, patches
