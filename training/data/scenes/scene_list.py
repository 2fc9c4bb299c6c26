"""The scenes that can be rendered: their sizes, and how sound becomes frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.core.frame_size import FrameSize
from training.data.scenes.dish import BANDS, move_dish, wave_shapes
from training.data.scenes.flame_light import flame_stage, render_flames
from training.data.scenes.flames import flame_motion
from training.data.scenes.iris import iris_motion
from training.data.scenes.iris_light import iris_stage, render_iris
from training.data.scenes.lighting import render, static_maps
from training.data.scenes.medusa import medusa_motion
from training.data.scenes.medusa_light import medusa_stage, render_medusa
from training.data.scenes.sound_force import Array, band_force
from training.data.scenes.string_light import render_strings, string_stage
from training.data.scenes.strings import string_motion
from training.data.scenes.veil import veil_motion
from training.data.scenes.veil_light import render_veils, veil_stage

Frames = Iterator[NDArray[np.uint8]]


@dataclass(frozen=True)
class Scene:
    """One scene: frames of a mono sound `[T]`, given its rate in Hz, the size and the frames a second."""

    title: str
    size: FrameSize
    """Unless another is asked for."""
    frames: Callable[[Array, int, FrameSize, int], Frames]
    is_round: bool = False
    """It fits a square alone."""


def _water(sound_T: Array, rate_hz: int, size: FrameSize, fps: int) -> Frames:
    shapes = wave_shapes()
    return render(move_dish(band_force(sound_T, rate_hz, BANDS, fps), shapes, fps), static_maps(shapes, size.height))


def _strings(sound_T: Array, rate_hz: int, size: FrameSize, fps: int) -> Frames:
    return render_strings(string_motion(sound_T, rate_hz, fps), string_stage(*size))


def _veil(sound_T: Array, rate_hz: int, size: FrameSize, fps: int) -> Frames:
    return render_veils(veil_motion(sound_T, rate_hz, fps), veil_stage(*size))


def _medusa(sound_T: Array, rate_hz: int, size: FrameSize, fps: int) -> Frames:
    return render_medusa(medusa_motion(sound_T, rate_hz, fps), medusa_stage(*size))


def _flames(sound_T: Array, rate_hz: int, size: FrameSize, fps: int) -> Frames:
    return render_flames(flame_motion(sound_T, rate_hz, fps), flame_stage(*size))


def _iris(sound_T: Array, rate_hz: int, size: FrameSize, fps: int) -> Frames:
    return render_iris(iris_motion(sound_T, rate_hz, fps), iris_stage(*size))


SCENES = {
    "water": Scene(
        "water in a round dish on a loudspeaker, seen from above", FrameSize(256, 256), _water, is_round=True
    ),
    "strings": Scene("strings beside a loudspeaker", FrameSize(720, 1280), _strings),
    "veil": Scene("veils that hang before loudspeakers, lit from their foot", FrameSize(720, 1280), _veil),
    "flames": Scene("flames on a pipe of gas that sounds", FrameSize(720, 1280), _flames),
    "iris": Scene("an iris, seen close, between six lamps", FrameSize(720, 1280), _iris),
    "medusa": Scene("a jellyfish in deep water", FrameSize(1280, 720), _medusa),
}
