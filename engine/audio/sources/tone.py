"""A source that plays a swelling sine: a plain test sound."""

from __future__ import annotations

import numpy as np

from engine.audio.sources.samples import SampleSource

RATE_HZ = 48000
DEFAULT_HZ = 440.0
DURATION_S = 24.0
SWELL_S = 4.0
PEAK = 0.5


def tone_source(tone_hz: float = DEFAULT_HZ, repeat: bool = False) -> SampleSource:
    """Return a sine of about `tone_hz` whose amplitude goes from 0 to 0.5 and back every 4 s."""
    # Whole periods, so that the loop has no click.
    tone_hz = round(tone_hz * DURATION_S) / DURATION_S
    time_s = np.arange(round(DURATION_S * RATE_HZ)) / RATE_HZ
    swell = 0.5 - 0.5 * np.cos(2 * np.pi * time_s / SWELL_S)
    sound_T = PEAK * swell * np.sin(2 * np.pi * tone_hz * time_s)
    return SampleSource(f"tone: {tone_hz:g} Hz", sound_T.astype(np.float32)[:, None], RATE_HZ, repeat)
