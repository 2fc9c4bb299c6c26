"""The crossfade between two frames: its length in hops, the share of each frame, and the mix."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.core.shaping_functions import smoothstep
from engine.core.srgb import level_of_light, light_of_levels

# H W C frame rows, columns, channels

LOAD = 0.85
"""Two models are stepped side by side while both take no more than this share of a hop."""
LONGEST_HELD_S = 0.5
"""A crossfade from a held frame is not longer than this: it would look like a fault."""


class CrossfadePlan(NamedTuple):
    """A crossfade, counted in hops."""

    hops: int
    """Hops between the last frame of the old model alone and the first of the new one alone; 0 is a cut."""
    is_held: bool
    """Whether the old frame is held meanwhile, because two steps do not fit into a hop."""

    def share(self, passed_hops: int) -> float:
        """Return the share of the new frame's light, so many hops after the first frame that shows any.

        It begins and ends gently: a fortieth of white light over black is already a dark grey.
        """
        return smoothstep(0.0, self.hops + 1, passed_hops + 1)


def plan_crossfade(crossfade_s: float, hop_s: float, step_s: float | None) -> CrossfadePlan:
    """Return the plan for `crossfade_s`. `step_s` is the duration of both steps together; None where it does not count."""
    if step_s is None or step_s <= LOAD * hop_s:
        return CrossfadePlan(round(crossfade_s / hop_s), False)
    return CrossfadePlan(round(min(crossfade_s, LONGEST_HELD_S) / hop_s), True)


def mix_light(old_HWC: NDArray[np.uint8], new_HWC: NDArray[np.uint8], share: float) -> NDArray[np.uint8]:
    """Return `share` of the new frame and the rest of the old one, mixed as light.

    In light the brightness goes linearly from one frame to the other. A mix of the levels themselves would be darker half way
    wherever the frames differ.
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
