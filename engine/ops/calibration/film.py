"""The offset from sound to light in a film of the flashing window with the clicks in its sound track."""

# PyAV's types are incomplete.
# pyright: basic

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import ConfigError
from engine.ops.calibration.detection import Offset, click_times_s, flash_times_s, flashing_brightness, pair_offset

# T samples or frames, N patches of a frame

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


def offset_of_film(path: Path | str) -> Offset:
    """Return the offset from clicks to flashes in a film. Raises ConfigError for a film without a clear one."""
    film = read_film(path)
    clicks_s = [film.sound_starts_s + time_s for time_s in click_times_s(film.sound_T, SOUND_HZ)]
    flashes_s = flash_times_s(flashing_brightness(film.patches_TN), film.times_s)
    frame_s = float(np.median(np.diff(film.times_s)))
    try:
        return pair_offset(clicks_s, flashes_s, HOP_JITTER_S + frame_s)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def read_film(path: Path | str) -> Film:
    """Read a film's sound as mono and its frames as patches. Raises ConfigError without either."""
    import av
    from av.audio.resampler import AudioResampler
    from av.error import FFmpegError

    sound: list[NDArray[np.float32]] = []
    patches: list[NDArray[np.float32]] = []
    times_s: list[float] = []
    starts_s: float | None = None
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            if not container.streams.video or not container.streams.audio:
                raise ConfigError(f"{path} has no video or no sound track; film the flashing window with sound.")
            resampler = AudioResampler(format="flt", layout="mono", rate=SOUND_HZ)
            for frame in container.decode(container.streams.video[0], container.streams.audio[0]):
                if (
                    not isinstance(frame, (av.AudioFrame, av.VideoFrame))
                    or frame.time is None
                    or frame.time > LONGEST_S
                ):
                    continue
                if isinstance(frame, av.AudioFrame):
                    starts_s = frame.time if starts_s is None else starts_s
                    sound += [part.to_ndarray()[0] for part in resampler.resample(frame) if part.samples]
                else:
                    small = frame.reformat(width=PATCHES[0], height=PATCHES[1], format="gray", interpolation="AREA")
                    patches.append(small.to_ndarray().astype(np.float32).ravel())
                    times_s.append(frame.time)
    except (FFmpegError, OSError) as error:
        raise ConfigError(f"{path} cannot be read as a film ({error}); give a film from a phone or camera.") from error
    if starts_s is None or not sound or len(times_s) < 3:
        raise ConfigError(f"{path} has too few frames or no sound; film the flashing window for twenty seconds.")
    return Film(np.concatenate(sound), starts_s, np.stack(patches), np.asarray(times_s))
