"""Idle drift: what moves the frame while the sound stands still. A function of the sample number alone, so a take replays it.

In silence the model gets three low partials that swell and fade slowly, as quiet as the quiet parts of its training sound; music
covers them. A drone gets slowly quieter and louder again.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

# T audio samples

PARTIALS: tuple[tuple[float, float], ...] = ((98.0, 6.7), (147.0, 9.1), (220.0, 12.3))
"""Frequency in Hz, and the period in seconds in which it swells and fades: no common multiple is soon reached."""
SWAYS_S = (5.3, 8.9)
"""Periods of the drift of what plays."""
DEEPEST_DB = 6.0
"""What plays is never louder for it, and at most so much quieter."""


def drifted(
    window_T: NDArray[np.float32], end_sample: int, rate_hz: int, amount: float, quiet_db: float
) -> NDArray[np.float32]:
    """Return a window that ends with sample `end_sample`, with drift of `amount` (0 to 1), its swells at `quiet_db` (root mean square)."""
    time_s = np.arange(end_sample - len(window_T), end_sample) / rate_hz
    sway = sum(1.0 + np.sin(2.0 * math.pi * time_s / period_s) for period_s in SWAYS_S) / (2.0 * len(SWAYS_S))
    swells = sum(
        np.sin(2.0 * math.pi * time_s * hz) * 0.5 * (1.0 - np.cos(2.0 * math.pi * time_s / period_s))
        for hz, period_s in PARTIALS
    )
    # The mean square of a partial is that of its sine, 1/2, times that of its swell, 3/8.
    level = 10.0 ** (quiet_db / 20.0) / math.sqrt(len(PARTIALS) * 0.5 * 0.375)
    gain = 10.0 ** (-DEEPEST_DB * amount * sway / 20.0)
    return (window_T * gain + amount * level * swells).astype(np.float32)
