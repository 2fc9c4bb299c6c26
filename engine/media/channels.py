"""The rule for channels: how sound of several channels becomes mono."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# T audio samples, C channels


def mix_down(sound_TC: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of the channels [T]."""
    # Channel by channel: the order of additions in numpy's mean, and so the last bit, depends on the length.
    mono_T = sound_TC[:, 0].astype(np.float32)
    for channel in range(1, sound_TC.shape[1]):
        mono_T = mono_T + sound_TC[:, channel]
    return mono_T * np.float32(1.0 / sound_TC.shape[1])
