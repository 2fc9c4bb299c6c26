"""The one rule for channels, live and in training alike.

Named layouts (5.1, 7.1) are mixed to stereo with the weights of ITU-R BS.775, each side brought to the same power: speech in the
centre alone is 3 dB below full scale on each side, whatever the number of channels. Unnamed channels, as recorders and studio programs
write them, are not places in a room: more than two are added and divided by the root of their number. One and two channels stay as
they are; mono is the mean of both sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import MediaError

# T samples, C channels

_HALF = sqrt(0.5)
_WEIGHTS: dict[str, tuple[float, float]] = {
    **{name: (1.0, 0.0) for name in ("FL", "DL", "FLC")},
    **{name: (0.0, 1.0) for name in ("FR", "DR", "FRC")},
    **{name: (_HALF, 0.0) for name in ("BL", "SL", "WL", "TFL", "TBL", "TSL", "BFL", "SSL", "TTL")},
    **{name: (0.0, _HALF) for name in ("BR", "SR", "WR", "TFR", "TBR", "TSR", "BFR", "SSR", "TTR")},
    **{name: (_HALF, _HALF) for name in ("FC",)},
    **{name: (0.5, 0.5) for name in ("BC", "TC", "TFC", "TBC", "BFC")},
    **{name: (0.0, 0.0) for name in ("LFE", "LFE2")},
}
"""Left and right weight of a channel by FFmpeg's name for it."""


def mixed(sound_TC: NDArray[np.float32], channels: int, names: Sequence[str] = ()) -> NDArray[np.float32]:
    """Return the sound mixed to one or two channels [T, channels]; `names` are FFmpeg's names of its channels, if they have any."""
    weights = _stereo_weights(sound_TC.shape[1], tuple(names))
    sides = weights if channels == 2 else (tuple((left + right) / 2 for left, right in zip(*weights, strict=True)),)
    return np.stack([_weighted_sum(sound_TC, side) for side in sides], axis=1)


def picked(sound_TC: NDArray[np.float32], chosen: Sequence[int]) -> NDArray[np.float32]:
    """Return the chosen channels, numbered from 1, in their order [T, chosen]; silence where there is no such channel."""
    has = sound_TC.shape[1]
    silence_T = np.zeros(len(sound_TC), np.float32)
    return np.stack([sound_TC[:, channel - 1] if channel <= has else silence_T for channel in chosen], axis=1)


def check_channels(chosen: Sequence[int], has: int, name: Path | str) -> None:
    """Raise MediaError if sound with `has` channels, called `name`, lacks a chosen one."""
    missing = missing_channels(chosen, has)
    if missing:
        raise MediaError(no_such_channels(missing, has, name))


def missing_channels(chosen: Sequence[int], has: int) -> str:
    """Return the chosen channels that sound with `has` channels lacks, e.g. "5, 6"."""
    return ", ".join(str(channel) for channel in chosen if channel > has)


def no_such_channels(missing: str, has: int, name: Path | str) -> str:
    """Return the sentence about missing channels of sound called `name`."""
    choose = f"channels 1 to {has}; choose among them" if has > 1 else "channel 1 alone; choose that one"
    return f"{name} has no channel {missing}: it has {choose}."


def mix_down(sound_TC: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return unnamed channels, as devices have them, mixed to mono [T]."""
    return mixed(sound_TC, 1)[:, 0]


def mixed_channels(count: int, names: Sequence[str] = ()) -> int:
    """Return how many channels, 1 or 2, sound with `count` channels is mixed to without loss of its sides."""
    left, right = _stereo_weights(count, tuple(names))
    return 1 if left == right else 2


@lru_cache(maxsize=64)
def _stereo_weights(count: int, names: tuple[str, ...]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the weights of the channels in the left side and in the right one."""
    if count == 1:
        return (1.0,), (1.0,)
    known = len(names) == count and all(name in _WEIGHTS for name in names)
    sides = [[_WEIGHTS[name][side] for name in names] for side in (0, 1)] if known else []
    if known and all(any(side) for side in sides):
        left, right = (tuple(weight / sqrt(sum(w * w for w in side)) for weight in side) for side in sides)
        return left, right
    if count == 2:
        return (1.0, 0.0), (0.0, 1.0)
    return (1 / sqrt(count),) * count, (1 / sqrt(count),) * count


def _weighted_sum(sound_TC: NDArray[np.float32], weights: Sequence[float]) -> NDArray[np.float32]:
    # Channel by channel: the order of additions in a matrix product, and so the last bit, depends on the length.
    sum_T: NDArray[np.float32] = np.zeros(len(sound_TC), np.float32)
    for channel, weight in enumerate(weights):
        if weight:
            sum_T += sound_TC[:, channel] * np.float32(weight)
    return sum_T
