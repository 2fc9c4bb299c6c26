"""Real sound for calibration and comparison: a file, repeated for as many steps as needed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import TrainingError
from engine.media.cleaning import cleaned
from export.verification.parity import PROBE_SOUND, probe_sound
from training.data.clip_sound import read_track, resampled
from training.data.video import SILENCE_DB

# T audio samples

PROBE_S = 30.0


@dataclass(frozen=True, slots=True)
class RealSound:
    """Mono sound [T] in [-1, 1] at the sample rate of the model."""

    sound_T: NDArray[np.float32]
    rate_hz: int
    name: str

    @property
    def length_s(self) -> float:
        return len(self.sound_T) / self.rate_hz

    def window(self, k: int, window_samples: int, hop_samples: int) -> NDArray[np.float32]:
        """Return the window [T] of step `k`, which ends (k + 1) hops into the repeated sound. Before the start there is silence."""
        end = (k + 1) * hop_samples
        places = np.arange(end - window_samples, end)
        return np.where(places < 0, np.float32(0.0), self.sound_T[places % len(self.sound_T)])


def read_real_sound(path: Path, rate_hz: int, least_s: float = 0.0) -> RealSound:
    """Read the first sound track of any media file, cleaned as in a show. Raises TrainingError when it is missing, damaged, silent or too short."""
    if not path.is_file():
        raise TrainingError(f"There is no sound file {path}; give the path of a sound or video file.")
    track_T, own_rate_hz = read_track(path)
    sound_T, _ = cleaned(track_T, own_rate_hz)
    sound = RealSound(np.clip(resampled(sound_T, own_rate_hz, rate_hz), -1.0, 1.0), rate_hz, path.name)
    if sound.length_s < least_s:
        raise TrainingError(
            f"{path} lasts {sound.length_s:.1f} s; at least {least_s:g} s of sound were expected. Give a longer file."
        )
    level_db = 10.0 * float(np.log10(max(float(np.square(sound.sound_T, dtype=np.float64).mean()), 1e-20)))
    if level_db < SILENCE_DB:
        raise TrainingError(
            f"{path} is silent ({level_db:.0f} dB); give a file with the kind of sound that the show will play."
        )
    return sound


def made_sound(rate_hz: int) -> RealSound:
    """Return the sound of the parity check, for a comparison without a sound file."""
    return RealSound(probe_sound(round(PROBE_S * rate_hz), rate_hz), rate_hz, PROBE_SOUND)
