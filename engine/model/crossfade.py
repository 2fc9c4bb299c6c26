"""How one picture becomes another: for how many hops, with which shares, and the mixing itself."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.core.shaping_functions import smoothstep
from engine.core.srgb import level_of_light, light_of_levels

# H W C picture rows, columns, channels

LOAD = 0.85
"""Two models may step side by side while both together take no more than this share of a hop."""
LONGEST_HELD_S = 0.5
"""A fade from a picture that stands still is not drawn out for longer: it would look like a fault."""


class CrossfadePlan(NamedTuple):
    """A fade, counted in hops."""

    hops: int
    """Between the last picture that is all old and the first that is all new; 0 is a cut."""
    is_held: bool
    """Whether the old picture stands still meanwhile, since two steps a hop would take too long."""

    def share(self, passed_hops: int) -> float:
        """Return how much of the new picture's light is seen so many hops after the first that shows any.

        It begins and ends gently: of light, a fortieth of white over black is already a dark grey.
        """
        return smoothstep(0.0, self.hops + 1, passed_hops + 1)


def plan_crossfade(crossfade_s: float, hop_s: float, step_s: float | None) -> CrossfadePlan:
    """Return the fade for `crossfade_s`. `step_s` is how long both steps take together; None where it does not count."""
    if step_s is None or step_s <= LOAD * hop_s:
        return CrossfadePlan(round(crossfade_s / hop_s), False)
    return CrossfadePlan(round(min(crossfade_s, LONGEST_HELD_S) / hop_s), True)


def mix_light(old_HWC: NDArray[np.uint8], new_HWC: NDArray[np.uint8], share: float) -> NDArray[np.uint8]:
    """Return `share` of the new picture and the rest of the old one, mixed as light.

    Light is what adds up: between two pictures the brightness goes straight from one to the other. A mix of the levels
    themselves would be darker half way wherever the two differ.
    """
    if share <= 0.0:
        return old_HWC
    if share >= 1.0:
        return new_HWC
    import cv2

    light, levels = _tables()
    mixed = cv2.addWeighted(cv2.LUT(old_HWC, light), 1.0 - share, cv2.LUT(new_HWC, light), share, 0.0)
    return np.take(levels, np.asarray(mixed, np.uint16))


@cache
def _tables() -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """Return the light of each of 256 levels in 16 bits, and the nearest level of each light."""
    light_L = np.rint(light_of_levels() * 65535.0).astype(np.uint16)
    return light_L, np.rint(level_of_light(np.arange(65536) / 65535.0)).astype(np.uint8)
