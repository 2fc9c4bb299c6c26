"""From the source's rate and channels to the model's mono sound: one place, live and offline.

soxr's fixed-ratio resampler works in blocks of a Fourier transform: 48 kHz to 16 kHz comes out 21 ms late on average and up to
37 ms, at LQ still 11 and 20. Its variable-rate resampler, run at a fixed ratio, is constantly 12.5 ms late there (5 ms to
24 kHz), full-band and 115 dB clean, and gives the same bits whatever blocks it is fed. `python -m benchmarks.resample` measures both.
"""

# soxr ships no types.
# pyright: basic

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

# T samples, C channels

_PROBE_S = 0.25
_PROBE_BLOCK_SAMPLES = 64


class Resampler:
    """A stream of sound at `source_rate_hz`, mixed down to mono, at `model_rate_hz`."""

    def __init__(self, source_rate_hz: int, model_rate_hz: int) -> None:
        self.source_rate_hz = source_rate_hz
        self.model_rate_hz = model_rate_hz
        self._stream: soxr.ResampleStream | None = None
        self.delay_s = 0.0
        """How long a sample is held back: a constant part of the latency."""
        if source_rate_hz != model_rate_hz:
            self._stream = _open_stream(source_rate_hz, model_rate_hz)
            self.delay_s = _measure_delay_s(source_rate_hz, model_rate_hz)

    def feed(self, sound_TC: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the mono samples that have come out now [T']; what is not a number counts as silence."""
        mono_T = mix_down(sound_TC)
        return mono_T if self._stream is None else self._stream.resample_chunk(mono_T)

    def finish(self) -> NDArray[np.float32]:
        """Return the samples still held back at the end of the sound. Nothing may be fed afterwards."""
        if self._stream is None:
            return np.zeros(0, np.float32)
        return self._stream.resample_chunk(np.zeros(0, np.float32), last=True)


def mix_down(sound_TC: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of the channels [T], with non-finite samples as silence."""
    finite_TC = np.nan_to_num(sound_TC, nan=0.0, posinf=0.0, neginf=0.0)
    # Added channel by channel: numpy's own mean adds in an order that depends on the length, and with it the last bit.
    mono_T = finite_TC[:, 0].astype(np.float32)
    for channel in range(1, finite_TC.shape[1]):
        mono_T = mono_T + finite_TC[:, channel]
    return mono_T * np.float32(1.0 / finite_TC.shape[1])


def _open_stream(source_rate_hz: int, model_rate_hz: int) -> soxr.ResampleStream:
    return soxr.ResampleStream(source_rate_hz, model_rate_hz, 1, dtype="float32", quality="HQ", vr=True)


def _measure_delay_s(source_rate_hz: int, model_rate_hz: int) -> float:
    """Feed silence and see how much is missing: `delay()` reports only the last stage's share."""
    stream = _open_stream(source_rate_hz, model_rate_hz)
    silence = np.zeros(_PROBE_BLOCK_SAMPLES, np.float32)
    blocks = round(_PROBE_S * source_rate_hz / _PROBE_BLOCK_SAMPLES)
    came = sum(len(stream.resample_chunk(silence)) for _ in range(blocks))
    return blocks * _PROBE_BLOCK_SAMPLES / source_rate_hz - came / model_rate_hz
