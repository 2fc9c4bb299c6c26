"""What the model, the analysers and films get of a source's block."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engine.audio.input_layout import MIX, InputLayout
from engine.media.channels import mixed
from engine.media.cleaning import silence_faults

# T audio samples, C channels


def model_sound(layout: InputLayout, sound_TC: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what the model gets of a block [T, C']; its channels are still to be mixed."""
    if not layout.inputs:
        return sound_TC
    if layout.model_input == MIX:
        return _together([_narrowed(sound_TC[:, one.columns], 1) for one in layout.inputs])
    return sound_TC[:, layout.columns_of(layout.model_input)]


def film_channels(layout: InputLayout, source_channels: int) -> int:
    """Return the channels of films: 2, or 1 where every input is mono."""
    return min(2, max((len(one.columns) for one in layout.inputs), default=source_channels))


def film_sound(layout: InputLayout, sound_TC: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a block as films get it [T, film channels]: each input in mono or stereo, all of them mixed.

    Without named inputs, mono and stereo stay as they came.
    """
    if not layout.inputs:
        return sound_TC if sound_TC.shape[1] <= 2 else _narrowed(sound_TC, 2)
    channels = film_channels(layout, sound_TC.shape[1])
    return _together([_narrowed(sound_TC[:, one.columns], channels) for one in layout.inputs])


def _together(parts_TC: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return sounds mixed with equal power, so that independent ones together are as loud as one of them."""
    # One after the other: the order of additions, and so the last bit, must not depend on the length.
    mixed_TC = parts_TC[0]
    for part_TC in parts_TC[1:]:
        mixed_TC = mixed_TC + part_TC
    return mixed_TC * np.float32(1.0 / math.sqrt(len(parts_TC)))


def _narrowed(sound_TC: NDArray[np.float32], channels: int) -> NDArray[np.float32]:
    """Return a sound in `channels` channels, 1 or 2. A fault of one channel or input does not silence the others."""
    return mixed(silence_faults(sound_TC)[0], channels)
