"""The film of a rendering or a replay: its size and its rate, where they differ from the model's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from engine.control.parameter_table import ShowValues
from engine.core.errors import ConfigError
from engine.core.fit import crop_to_shape
from engine.model.card import ModelCard
from engine.output.frame import Frame, ShowFormat
from engine.output.sharpening import fit_sharpened
from engine.output.sink import FrameRate, Sink

# H W C rows, columns, channels of pixels

SMALLEST, LARGEST = 16, 8192
SLOWEST_FPS, FASTEST_FPS = 1, 240
_SIZE = re.compile(r"(\d{1,5})[x×](\d{1,5})")
_RATE = re.compile(r"\d{1,6}(\.\d{1,6})?|\d{1,6}/[1-9]\d{0,5}")


@dataclass(frozen=True, kw_only=True, slots=True)
class FilmFormat:
    """What was asked of a film. None: as the model and the show have it."""

    size: tuple[int, int] | None = None
    """Width and height in pixels."""
    fps: Fraction | None = None
    """Frames a second."""
    is_blended: bool = False
    """Whether a film with more frames than the model mixes two of the model's, rather than repeat one."""
    is_filled: bool | None = None
    """Whether frames of another shape are cropped, rather than have black bars; None: as the parameter `fill` says."""

    def differs_from(self, card: ModelCard) -> bool:
        """Tell whether the film has another rate than the model."""
        return self.fps is not None and self.fps != Fraction(card.sample_rate_hz, card.hop_samples)

    def of(self, show: ShowFormat) -> ShowFormat:
        """Return the format of a show's film."""
        width, height = self.size or (show.width, show.height)
        return replace(show, width=width, height=height, fps=float(self.fps or show.fps))


def parse_size(text: str) -> tuple[int, int]:
    """Return width and height of a size such as 1280x720. Raises ConfigError."""
    found = _SIZE.fullmatch(text.strip().lower())
    sides = [int(side) for side in found.groups()] if found else []
    if not sides or not all(SMALLEST <= side <= LARGEST for side in sides):
        raise ConfigError(
            f"'{text}' is no size; width and height from {SMALLEST} to {LARGEST} were expected, e.g. --size 1280x720."
        )
    return sides[0], sides[1]


def parse_fps(text: str) -> Fraction:
    """Return the rate of a text such as 60, 29.97 or 30000/1001. Raises ConfigError."""
    fps = Fraction(text.strip()) if _RATE.fullmatch(text.strip()) else Fraction(0)
    if not SLOWEST_FPS <= fps <= FASTEST_FPS:
        raise ConfigError(
            f"'{text}' is no frame rate; frames a second from {SLOWEST_FPS} to {FASTEST_FPS} were expected, e.g. --fps 60."
        )
    return fps


class FilmSink:
    """A sink that gets every frame in the size of its film."""

    def __init__(self, sink: Sink, film: FilmFormat) -> None:
        self._sink = sink
        self._film = film
        self._given_HWC: NDArray[np.uint8] | None = None
        self._fitted_HWC: NDArray[np.uint8] | None = None
        self._fitted_as = (False, 0.0)

    @property
    def shown_size(self) -> tuple[int, int] | None:
        """The film's own size: there may be room around the frame, or its edges are cropped."""
        return self._film.size

    @property
    def is_filled(self) -> bool | None:
        """Whether frames are cropped to the film's shape; None: as the parameter `fill` says."""
        return self._film.is_filled

    @property
    def name(self) -> str:
        return self._sink.name

    @property
    def rate(self) -> FrameRate:
        return self._sink.rate

    @property
    def with_effects(self) -> bool:
        return self._sink.with_effects

    @property
    def standby(self) -> bool:
        return self._sink.standby

    @property
    def lost_frames(self) -> int:
        return self._sink.lost_frames

    def open(self, show: ShowFormat) -> None:
        """Get ready. Raises SinkError."""
        self._sink.open(self._film.of(show))

    def wants(self, values: Mapping[str, float | int | bool]) -> bool:
        return self._sink.wants(values)

    def show(self, frame: Frame) -> None:
        """Take one frame. Raises SinkError when the output has failed for good."""
        if self._film.size is None:
            self._sink.show(frame)
            return
        is_filled = ShowValues(frame.values).fill if self._film.is_filled is None else self._film.is_filled
        fitted_as = is_filled, ShowValues(frame.values).sharpen
        self._sink.show(frame.with_pixels(self._fitted(frame.pixels_HWC, self._film.size, fitted_as)))

    def close(self) -> None:
        """Finish and release everything. Raises SinkError, once, when something could not be saved."""
        self._sink.close()

    def _fitted(
        self, pixels_HWC: NDArray[np.uint8], size: tuple[int, int], fitted_as: tuple[bool, float]
    ) -> NDArray[np.uint8]:
        """Return a frame in the size of the film, cropped or not, and sharpened; of a frame that is repeated, what it was before."""
        if self._fitted_HWC is None or pixels_HWC is not self._given_HWC or fitted_as != self._fitted_as:
            is_filled, sharpen = fitted_as
            cropped_HWC = crop_to_shape(pixels_HWC, *size) if is_filled else pixels_HWC
            self._fitted_HWC = fit_sharpened(cropped_HWC, *size, sharpen, finely=True)
            self._given_HWC, self._fitted_as = pixels_HWC, fitted_as
        return self._fitted_HWC
