"""Samples and channel names of decoded frames, past two faults of PyAV 18 that end the process.

`frame.planes` runs past the end of its table with eight planes and more, so planes are made one by one. The channel map of an
unusual layout is freed with each object that shows it, so such objects are never freed.
"""

# PyAV's types are incomplete.
# pyright: basic

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.plane import AudioPlane
from numpy.typing import NDArray

# T samples, C channels

_TYPES = {
    "u8": (np.dtype(np.uint8), 128.0),
    "s16": (np.dtype(np.int16), 2.0**15),
    "s32": (np.dtype(np.int32), 2.0**31),
    "s64": (np.dtype(np.int64), 2.0**63),
    "flt": (np.dtype(np.float32), 1.0),
    "dbl": (np.dtype(np.float64), 1.0),
}
"""Type and full scale of FFmpeg's sample formats."""


def channel_names(frame: AudioFrame) -> tuple[str, ...]:
    """Return FFmpeg's names of a frame's channels; none where the file gives them no places. Call this once for each frame."""
    layout: Any = frame.layout
    # Layouts with a channel map are described with brackets or as ambisonic.
    if layout.nb_channels > 0 and not layout.name.replace(".", "").isalnum():
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(layout))
    names = tuple(channel.name for channel in layout.channels)
    return () if "NONE" in names else names


def samples_of(frame: AudioFrame) -> NDArray[np.float32]:
    """Return the samples of a frame [T, C] in [-1, 1]."""
    layout: Any = frame.layout
    dtype, full_scale = _TYPES[frame.format.name.removesuffix("p")]
    channels, count = layout.nb_channels, frame.samples
    if frame.format.is_planar:
        planes: list[Any] = [AudioPlane(frame, index) for index in range(channels)]
        raw_TC = np.stack([np.frombuffer(plane, dtype, count) for plane in planes], axis=1)
    else:
        plane: Any = AudioPlane(frame, 0)
        raw_TC = np.frombuffer(plane, dtype, count * channels).reshape(count, channels)
    sound_TC = raw_TC.astype(np.float32)
    if dtype == np.uint8:
        sound_TC -= np.float32(128.0)
    return sound_TC if full_scale == 1.0 else sound_TC * np.float32(1.0 / full_scale)
