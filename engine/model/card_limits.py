"""The limits of what a model card may say, checked before anything is allocated: a card may come from a stranger.

They lie far beyond what a show can play. Texts are shown on terminals and in logs, so they hold no control characters.
"""

from __future__ import annotations

import dataclasses
import math
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, cast

from engine.core.errors import ModelFileError

MOST_BATCH_SLOTS = 64
MOST_ELEMENTS, MOST_AXES = 1 << 28, 8
"""Of one state, noise or output."""
MOST_STEP_BYTES = 1 << 31
"""Of all inputs and outputs of one step together."""
MOST_PIXELS = 1 << 25
"""Of one frame: as many as 8K has."""
MOST_TEXTURE_PIXELS = 1 << 25
"""Of all textures together."""
LONGEST_NAME, LONGEST_TEXT = 64, 4000
_MOST_WHOLE = 1 << 63

_RANGES: Mapping[str, tuple[float, float]] = {
    "format_version": (1, 1000),
    "sample_rate_hz": (1, 768_000),
    "window_samples": (1, 1 << 24),
    "hop_samples": (1, 1 << 22),
    "look_ahead_s": (0.0, 60.0),
    "trained_fps": (0.0, 768_000.0),
    "height": (1, 1 << 14),
    "width": (1, 1 << 14),
    "feature_bands": (1, 1 << 14),
    "batch": (1, MOST_BATCH_SLOTS),
    "stored_bytes": (1, 1 << 31),
    "initial": (-1e9, 1e9),
    **dict.fromkeys(("low", "high", "default"), (-1e9, 1e9)),
    **dict.fromkeys(("loudness_db", "quiet_db", "loud_db", "peak_db"), (-200.0, 100.0)),
    **dict.fromkeys(("low_hz", "high_hz"), (0.0, 1e6)),
}
"""Lowest and highest value of a number, by its key. Other numbers are for people to read."""
_COUNTS: Mapping[str, int] = {
    "controls": 256,
    "fixed_controls": 256,
    "control_effects": 256,
    "states": 1024,
    "noises": 256,
    "pictures": 16,
    "outputs": 64,
    "textures": 16,
    "passes": 256,
    "drift": 4096,
    "bands": 64,
}
"""Most entries of a list, by its key."""
_NAMES = ("name", "unit", "dtype", "distribution", "precision")
_CONTROL_CATEGORIES = ("Cc", "Cs", "Zl", "Zp")
_TURNING = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))
"""Characters that turn the direction of the text around them."""


def check_limits(part: Any) -> None:
    """Raise ModelFileError for the first value of a card, or of a part of it, that is out of its limits."""
    for field in dataclasses.fields(part):
        key, value = field.name, getattr(part, field.name)
        if isinstance(value, str):
            _check_text(key, value, LONGEST_NAME if key in _NAMES else LONGEST_TEXT)
        elif isinstance(value, int | float):
            low, high = _RANGES.get(key, (-_MOST_WHOLE, _MOST_WHOLE))
            # Numbers that are for people may be infinite where a measurement was.
            if key in _RANGES or isinstance(value, int):
                _check_number(key, value, low, high)
        elif key == "shape":
            check_shape(cast(tuple[int, ...], value))
        elif isinstance(value, tuple):
            _check_list(key, cast(tuple[object, ...], value))


def check_shape(shape: tuple[int, ...]) -> None:
    """Raise ModelFileError for a tensor of too many axes or elements."""
    if len(shape) > MOST_AXES or math.prod(shape) > MOST_ELEMENTS:
        shown = list(shape) if len(shape) <= MOST_AXES and max(shape) < _MOST_WHOLE else f"of {len(shape)} axes"
        raise ModelFileError(
            f"The model card has a shape {shown}; at most {MOST_AXES} axes and {MOST_ELEMENTS:,} elements were expected. "
            "Export the model again."
        )


class Tensor(Protocol):
    """An input or output of a step."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> str: ...


def check_step_size(tensors: Iterable[Tensor]) -> None:
    """Raise ModelFileError where the inputs and outputs of a step take too much memory together."""
    size_bytes = sum(math.prod(tensor.shape) * (1 if tensor.dtype == "uint8" else 4) for tensor in tensors)
    if size_bytes > MOST_STEP_BYTES:
        raise ModelFileError(
            f"The model card's inputs and outputs take {size_bytes / 1e9:.1f} GB a step; at most "
            f"{MOST_STEP_BYTES / 1e9:.1f} GB was expected. Export the model again, smaller or with a smaller --batch."
        )


def _check_number(key: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        came = f"{value:g}" if isinstance(value, float) or abs(value) > _MOST_WHOLE else f"{value}"
        raise ModelFileError(
            f"The model card says {key} = {came}; {low:,} to {high:,} was expected. Export the model again."
        )


def _check_list(key: str, values: tuple[object, ...]) -> None:
    most = _COUNTS.get(key, LONGEST_TEXT)
    if len(values) > most:
        raise ModelFileError(
            f"The model card lists {len(values):,} {key}; at most {most} were expected. Export the model again."
        )
    for value in values:
        if isinstance(value, str):
            _check_text(key, value, LONGEST_TEXT)


def _check_text(key: str, text: str, longest: int) -> None:
    if len(text) > longest:
        raise ModelFileError(
            f"The model card's {key} has {len(text):,} characters; at most {longest:,} were expected. Export the model again."
        )
    if any(unicodedata.category(character) in _CONTROL_CATEGORIES or character in _TURNING for character in text):
        raise ModelFileError(
            f"The model card's {key} is {text[:LONGEST_NAME]!a}; a text without control characters was expected. "
            "Export the model again."
        )
