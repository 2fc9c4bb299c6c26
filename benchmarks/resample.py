"""Delay of resamplers.

    python -m benchmarks.resample

For the engine's own (libswresample), soxr's fixed-ratio qualities and its variable-rate form: mean and maximum delay of the output
in milliseconds, and the processor time per second of sound.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import soxr
from numpy.typing import NDArray

from benchmarks.record import append_record, print_table
from engine.audio.resample import Resampler
from engine.core.clock import WallClock

SECONDS = 3
BLOCK_SAMPLES = 64
RATES_HZ = ((48000, 16000), (44100, 16000), (48000, 24000), (44100, 24000))
SOXR_FORMS = {
    "soxr LQ": {"quality": "LQ"},
    "soxr MQ": {"quality": "MQ"},
    "soxr HQ": {"quality": "HQ"},
    "soxr HQ variable": {"quality": "HQ", "vr": True},
}
Feed = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def main() -> None:
    rows: list[list[object]] = []
    for source_hz, model_hz in RATES_HZ:
        own = Resampler(source_hz, model_hz)
        forms: dict[str, Feed] = {"engine": lambda sound_T, own=own: own.feed(sound_T[:, None])}
        for name, options in SOXR_FORMS.items():
            forms[name] = soxr.ResampleStream(source_hz, model_hz, 1, dtype="float32", **options).resample_chunk
        for name, feed in forms.items():
            lags_ms, cost_ms = measure(feed, source_hz, model_hz)
            rows.append([source_hz, model_hz, name, float(np.mean(lags_ms)), float(np.max(lags_ms)), cost_ms])
    headings = ["from Hz", "to Hz", "form", "mean lag ms", "max lag ms", "ms a second"]
    print_table(headings, rows)
    append_record("resample", {"headings": headings, "rows": rows})


def measure(feed: Feed, source_hz: int, model_hz: int) -> tuple[list[float], float]:
    """Return the lags after each block of the last two seconds, in milliseconds, and the cost of one second of sound."""
    sound_T = np.random.default_rng(0).standard_normal(SECONDS * source_hz).astype(np.float32)
    clock, received, lags_ms = WallClock(), 0, list[float]()
    start_s = clock.now_s()
    for begin in range(0, len(sound_T), BLOCK_SAMPLES):
        received += len(feed(sound_T[begin : begin + BLOCK_SAMPLES]))
        fed = min(begin + BLOCK_SAMPLES, len(sound_T))
        if begin > source_hz:
            lags_ms.append(1e3 * (fed / source_hz - received / model_hz))
    return lags_ms, 1e3 * (clock.now_s() - start_s) / SECONDS


if __name__ == "__main__":
    main()
