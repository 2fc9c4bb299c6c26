"""A film of the flashing screen with the clicks in its sound track: how much later than the sound the light comes."""

# PyAV's types are incomplete.
# pyright: basic

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import ConfigError
from engine.ops.calibration.detection import Offset, click_times_s, flash_times_s, flashing_brightness, pair_offset

# T samples or pictures, N patches of a picture

PATCHES = (32, 18)
"""Columns and rows into which a picture is divided."""
LONGEST_S = 180.0
SOUND_HZ = 48000
HOP_JITTER_S = 0.06
"""How much the show's own latency may vary beside the distance of two pictures: a hop at 20 fps, and a little."""


class Film(NamedTuple):
    """What matters of a film."""

    sound_T: NDArray[np.float32]
    sound_begins_s: float
    patches_TN: NDArray[np.float32]
    times_s: NDArray[np.float64]
    """Of the pictures, on the clock of the sound."""


def offset_of_film(path: Path | str) -> Offset:
    """Return how much later than the clicks the flashes come in a film. Raises ConfigError for a film that does not tell."""
    film = read_film(path)
    clicks_s = [film.sound_begins_s + time_s for time_s in click_times_s(film.sound_T, SOUND_HZ)]
    flashes_s = flash_times_s(flashing_brightness(film.patches_TN), film.times_s)
    picture_s = float(np.median(np.diff(film.times_s)))
    try:
        return pair_offset(clicks_s, flashes_s, HOP_JITTER_S + picture_s)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def read_film(path: Path | str) -> Film:
    """Read a film's sound as mono and its pictures as patches. Raises ConfigError without either."""
    import av
    from av.audio.resampler import AudioResampler
    from av.error import FFmpegError

    sound: list[NDArray[np.float32]] = []
    patches: list[NDArray[np.float32]] = []
    times_s: list[float] = []
    begins_s: float | None = None
    try:
        with av.open(str(path)) as container:
            if not container.streams.video or not container.streams.audio:
                raise ConfigError(f"{path} has no pictures or no sound track; film the flashing screen with its sound.")
            resampler = AudioResampler(format="flt", layout="mono", rate=SOUND_HZ)
            for frame in container.decode(container.streams.video[0], container.streams.audio[0]):
                if (
                    not isinstance(frame, (av.AudioFrame, av.VideoFrame))
                    or frame.time is None
                    or frame.time > LONGEST_S
                ):
                    continue
                if isinstance(frame, av.AudioFrame):
                    begins_s = frame.time if begins_s is None else begins_s
                    sound += [part.to_ndarray()[0] for part in resampler.resample(frame) if part.samples]
                else:
                    small = frame.reformat(width=PATCHES[0], height=PATCHES[1], format="gray", interpolation="AREA")
                    patches.append(small.to_ndarray().astype(np.float32).ravel())
                    times_s.append(frame.time)
    except (FFmpegError, OSError) as error:
        raise ConfigError(
            f"{path} cannot be read as a film ({error}); give a film from a telephone or camera."
        ) from error
    if begins_s is None or not sound or len(times_s) < 3:
        raise ConfigError(f"{path} holds too few pictures or no sound; film the flashing screen for twenty seconds.")
    return Film(np.concatenate(sound), begins_s, np.stack(patches), np.asarray(times_s))
