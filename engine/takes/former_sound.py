"""The sound as the model and the features got it up to version 2 of the take format, so that these takes replay to the bit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.media.cleaning import SoundCleaner
from engine.takes.take_log import TakeHeader

# T audio samples, C channels


CLEANED_SINCE_VERSION = 3


def cleaner_of(header: TakeHeader) -> SoundCleaner:
    """Return what cleaned the sound for the model in the show of a take."""
    cleaner = SoundCleaner if header.format_version >= CLEANED_SINCE_VERSION else FormerCleaner
    return cleaner(header.source_rate_hz)


class FormerCleaner(SoundCleaner):
    """Mixes all channels to their mean. Only samples that are not finite become silence; an offset stays."""

    def feed(self, sound_TC: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return as many mono samples [T]."""
        finite_TC = np.nan_to_num(sound_TC, nan=0.0, posinf=0.0, neginf=0.0)
        # Channel by channel: the order of additions in numpy's mean, and so the last bit, depends on the length.
        mono_T = finite_TC[:, 0].astype(np.float32)
        for channel in range(1, finite_TC.shape[1]):
            mono_T = mono_T + finite_TC[:, channel]
        return mono_T * np.float32(1.0 / finite_TC.shape[1])
