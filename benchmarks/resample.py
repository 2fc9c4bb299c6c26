"""How much later sound comes out of each resampler than it went in.

    python -m benchmarks.resample

For soxr's fixed-ratio qualities and its variable-rate form: the lag of the output behind the input in milliseconds, mean and
largest, and the processor time a second of sound takes. The engine uses the form marked with *.
"""

from __future__ import annotations

import numpy as np
import soxr

from benchmarks.record import append_record, print_table
from engine.clock import WallClock

SECONDS = 3
BLOCK_SAMPLES = 64
RATES_HZ = ((48000, 16000), (44100, 16000), (48000, 24000), (44100, 24000))
FORMS = (("LQ", False), ("MQ", False), ("HQ", False), ("HQ", True))


def main() -> None:
    rows: list[list[object]] = []
    for source_hz, model_hz in RATES_HZ:
        for quality, variable in FORMS:
            lags_ms, cost_ms = measure(source_hz, model_hz, quality, variable)
            form = f"{quality} variable *" if variable else quality
            rows.append([source_hz, model_hz, form, float(np.mean(lags_ms)), float(np.max(lags_ms)), cost_ms])
    headings = ["from Hz", "to Hz", "form", "mean lag ms", "max lag ms", "ms a second"]
    print_table(headings, rows)
    append_record("resample", {"headings": headings, "rows": rows})


def measure(source_hz: int, model_hz: int, quality: str, variable: bool) -> tuple[list[float], float]:
    """Return the lags after each block of the last two seconds, in milliseconds, and the cost of one second of sound."""
    stream = soxr.ResampleStream(source_hz, model_hz, 1, dtype="float32", quality=quality, vr=variable)
    sound_T = np.random.default_rng(0).standard_normal(SECONDS * source_hz).astype(np.float32)
    clock, came, lags_ms = WallClock(), 0, list[float]()
    start_s = clock.now_s()
    for begin in range(0, len(sound_T), BLOCK_SAMPLES):
        came += len(stream.resample_chunk(sound_T[begin : begin + BLOCK_SAMPLES]))
        fed = min(begin + BLOCK_SAMPLES, len(sound_T))
        if begin > source_hz:
            lags_ms.append(1e3 * (fed / source_hz - came / model_hz))
    return lags_ms, 1e3 * (clock.now_s() - start_s) / SECONDS


if __name__ == "__main__":
    main()
