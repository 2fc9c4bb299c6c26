"""Mixdown and resampling from the source's format to the model's mono sound, the same live and offline.

FFmpeg's libswresample delays sound by 1 ms (48 to 16 kHz) and is bit-exact for every block size. It is flat to 0.9 of the band
and 100 dB down from 1.3 of it; just above the band's edge it passes -22 dB, which does not matter for frames. soxr is cleaner and
much later: 21 ms on average and 37 ms at worst at a fixed ratio, where it works in blocks of a Fourier transform, and 12.5 ms at
a variable one. `python -m benchmarks.resample` measures all of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.media.channels import mix_down
from engine.media.cleaning import silence_faults
from engine.media.rate import RateConverter

# T samples, C channels

_PROBE_S = 0.25
_PROBE_BLOCK_SAMPLES = 64


class Resampler:
    """Resamples a stream from `source_rate_hz` to mono at `model_rate_hz`."""

    def __init__(self, source_rate_hz: int, model_rate_hz: int) -> None:
        self.source_rate_hz = source_rate_hz
        self.model_rate_hz = model_rate_hz
        self._stream: RateConverter | None = None
        self.delay_s = 0.0
        """Constant delay of a sample."""
        if source_rate_hz != model_rate_hz:
            self._stream = RateConverter(source_rate_hz, model_rate_hz, 1)
            self.delay_s = _measure_delay_s(source_rate_hz, model_rate_hz)

    def feed(self, sound_TC: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the mono samples that are ready [T']. Faulty samples become silence: one would spread over its neighbours."""
        mono_T = mix_down(silence_faults(sound_TC)[0])
        return mono_T if self._stream is None else self._stream.feed(mono_T[:, None])[:, 0]

    def finish(self) -> NDArray[np.float32]:
        """Return the remaining samples at the end of the sound. Nothing may be fed afterwards."""
        return np.zeros(0, np.float32) if self._stream is None else self._stream.finish()[:, 0]


def _measure_delay_s(source_rate_hz: int, model_rate_hz: int) -> float:
    """Feed silence and count the missing samples."""
    stream = RateConverter(source_rate_hz, model_rate_hz, 1)
    silence_T1 = np.zeros((_PROBE_BLOCK_SAMPLES, 1), np.float32)
    blocks = round(_PROBE_S * source_rate_hz / _PROBE_BLOCK_SAMPLES)
    came = sum(len(stream.feed(silence_T1)) for _ in range(blocks))
    return blocks * _PROBE_BLOCK_SAMPLES / source_rate_hz - came / model_rate_hz
