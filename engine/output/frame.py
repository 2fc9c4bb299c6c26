"""One frame of a show, and the format that every frame of it shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.audio.features.audio_features import SILENCE, AudioFeatures
from engine.model.layers import Layers

# T audio samples, C channels; H W rows and columns of pixels; F feature bands


class OnBackdrop(NamedTuple):
    """A frame in the middle of black pixels, its edges faded: what a window has to know to draw the frame's layers there."""

    height: int
    width: int
    edge: float
    """Width of the fading edge, as a share of half the shorter side."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """The pixels of one hop, the sound that belongs to them, and when they were made."""

    index: int
    """Index of its hop, counted from the first sample received: time_s = (index + 1) * hop_s."""
    pixels_HWC: NDArray[np.uint8]
    """RGB. Nobody writes to it once a sink has it."""
    layers: Layers | None = None
    """What a layered model composed these very pixels of, for a window that composes them at its own size."""
    on_backdrop: OnBackdrop | None = None
    """Where the layers belong in these pixels; None: they fill them."""
    features_F: NDArray[np.float32]
    sound_TC: NDArray[np.float32]
    """All sound since the previous frame, at the source's own rate, in mono or stereo, for films."""
    first_sample: int
    """Index of the first sample of `sound_TC`, counted from the start of the show."""
    time_s: float
    """Media time of the newest sample that it was computed from."""
    captured_s: float | None
    """Clock time at which that sample was captured; None offline, where there is no such time."""
    audio_features: AudioFeatures = SILENCE
    """Onset, beat and level at the end of the hop, and those of named inputs."""
    values: Mapping[str, float | int | bool] = field(default_factory=dict[str, float | int | bool])
    """The parameter values it was computed with, after mappings and smoothing."""
    given_values: Mapping[str, float | int | bool] = field(default_factory=dict[str, float | int | bool])
    """The parameter values before mappings and smoothing, for what computes them for another moment."""
    is_early: bool = False
    """Whether it was made before the sound of its hop had all arrived; the hop has a frame of its own, too."""
    follows: bool = True
    """Whether it follows from the frame of the hop before it by one step of the model; see ModelFrame."""
    skipped_hops: int = 0
    """Hops between the previous frame and this one that were skipped (overload)."""
    timings_s: dict[str, float] = field(default_factory=dict[str, float])
    """Seconds by stage of the pipeline: wait, resample, step."""

    def with_pixels(self, pixels_HWC: NDArray[np.uint8], on_backdrop: OnBackdrop | None = None) -> Frame:
        """Return this frame with other pixels, which it was not composed of unless `on_backdrop` says where its layers are in them."""
        if pixels_HWC is self.pixels_HWC:
            return self
        layers = self.layers if on_backdrop else None
        return replace(self, pixels_HWC=pixels_HWC, layers=layers, on_backdrop=on_backdrop)


@dataclass(frozen=True, kw_only=True, slots=True)
class ShowFormat:
    """What every sink knows before the first frame."""

    title: str
    width: int
    height: int
    fps: float
    sound_rate_hz: int
    sound_channels: int
    live: bool
    """Live, a sink drops frames rather than make the step loop wait; offline, it drops none."""
