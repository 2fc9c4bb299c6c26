"""What one step of the show hands on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.audio.features.audio_features import SILENCE, AudioFeatures

# T audio samples, C channels; H W picture rows and columns; F feature bands


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """One picture, the sound it belongs to and the times it passed on its way."""

    index: int
    """Index of the hop it shows, counted from the first sample heard: time_s = (index + 1) * hop_s."""
    pixels_HWC: NDArray[np.uint8]
    """RGB. Never written to after it was handed on."""
    features_F: NDArray[np.float32]
    sound_TC: NDArray[np.float32]
    """All sound since the previous frame, at the source's own rate and channels, for recorders."""
    time_s: float
    """Media time of the newest sample the picture has heard."""
    captured_s: float | None
    """Clock time at which that sample was captured; None offline, where there is no such time."""
    audio_features: AudioFeatures = SILENCE
    """What is heard of the rhythm at the end of the hop."""
    values: Mapping[str, float | int | bool] = field(default_factory=dict[str, float | int | bool])
    """The parameters it was made with, after mappings and smoothing."""
    skipped_hops: int = 0
    """Hops between the previous frame and this one that were never stepped (overload)."""
    timings_s: dict[str, float] = field(default_factory=dict[str, float])
    """Seconds spent by stage: wait, resample, step, finish."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ShowFormat:
    """What every sink has to know before the first frame."""

    title: str
    width: int
    height: int
    fps: float
    sound_rate_hz: int
    sound_channels: int
    live: bool
    """Live sinks lose frames rather than make the step wait; offline sinks lose none."""
