"""What the model got, and where it began, in earlier versions of the take format, so that these takes replay to the bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.audio.conditioning import Conditioner, GainHistory, Values
from engine.audio.gain_state import FIXED_EMPHASIS, FIXED_SLACK_DB, Aim
from engine.core.errors import ConfigError
from engine.media.cleaning import SoundCleaner
from engine.model.training_sound import TrainingSound
from engine.takes.take_arrays import with_arrays
from engine.takes.take_log import TakeHeader

# T audio samples, C channels


CLEANED_SINCE_VERSION = 3
CONDITIONED_SINCE_VERSION = AT_REST_SINCE_VERSION = 5
ADAPTING_SINCE_VERSION = 7
FORMER_AIM = Aim(
    loudness_db=-23.0,
    lowest_db=-20.0,
    highest_db=40.0,
    up_s=4.0,
    slack_db=0.0,
    emphasis=0.0,
    adapts=False,
    begins_quickly=False,
)
"""Of the automatic gain before there was conditioning, for every model."""


def cleaner_of(header: TakeHeader) -> SoundCleaner:
    """Return what cleaned the sound for the model in the show of a take."""
    cleaner = SoundCleaner if header.format_version >= CLEANED_SINCE_VERSION else FormerCleaner
    return cleaner(header.source_rate_hz)


def conditioner_of(header: TakeHeader, folder: Path, window_samples: int) -> Conditioner:
    """Return what conditioned the sound for the model in the show of a take, with its gain where the take began in the middle.

    Windows have `window_samples`; `folder` is that of the take. Raises ConfigError for an array that is missing or damaged.
    """
    if header.format_version >= ADAPTING_SINCE_VERSION:
        kind = Conditioner
    else:
        kind = SteadyConditioner if header.format_version >= CONDITIONED_SINCE_VERSION else FormerConditioner
    conditioner = kind(header.sample_rate_hz, header.hop_samples)
    if header.gain is not None:
        curve_T = _gain_curve(header, folder, window_samples)
        conditioner.history = GainHistory(header.gain, header.earlier_hops, curve_T)
    return conditioner


def _gain_curve(header: TakeHeader, folder: Path, window_samples: int) -> NDArray[np.float32]:
    if not header.gain_curve:
        return np.ones(0, np.float32)
    curve_T = with_arrays(header.gain_curve, folder)
    if curve_T.dtype != np.float32 or curve_T.ndim != 1 or not len(curve_T) or not np.isfinite(curve_T).all():
        raise ConfigError(f"The take {folder} has no gain curve in 'gain_curve'; copy the whole folder again.")
    # Another model's window may have been longer or shorter.
    missing = max(window_samples - len(curve_T), 0)
    return np.pad(curve_T, (missing, 0), mode="edge")[-window_samples:]


def begins_at_rest(header: TakeHeader) -> bool:
    """Return whether the models of the show of a take began in their state of rest, and not in the card's initial state."""
    return header.format_version >= AT_REST_SINCE_VERSION


class FormerConditioner(Conditioner):
    """The automatic gain and gate up to version 4: off by default, one loudness for all models, and no limiter."""

    def aim_for(self, values: Values, sound: TrainingSound | None) -> Aim | None:
        """Return where to bring the sound; the parameter was called auto_gain then."""
        return FORMER_AIM if values.get("conditioning", False) else None


class SteadyConditioner(Conditioner):
    """Of versions 5 and 6: the emphasis of changes was the same for lively and for steady sound."""

    def aim_for(self, values: Values, sound: TrainingSound | None) -> Aim | None:
        """Return where to bring the sound."""
        aim = super().aim_for(values, sound)
        return aim and replace(aim, slack_db=FIXED_SLACK_DB, emphasis=FIXED_EMPHASIS, adapts=False)


class FormerCleaner(SoundCleaner):
    """Up to version 2: mixes all channels to their mean. Only samples that are not finite become silence; an offset stays."""

    def feed(self, sound_TC: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return as many mono samples [T]."""
        finite_TC = np.nan_to_num(sound_TC, nan=0.0, posinf=0.0, neginf=0.0)
        # Channel by channel: the order of additions in numpy's mean, and so the last bit, depends on the length.
        mono_T = finite_TC[:, 0].astype(np.float32)
        for channel in range(1, finite_TC.shape[1]):
            mono_T = mono_T + finite_TC[:, channel]
        return mono_T * np.float32(1.0 / finite_TC.shape[1])
