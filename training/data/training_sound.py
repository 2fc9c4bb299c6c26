"""Measures the sound that a model is trained on, for its card: loudness, levels of bands, peak."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.media.band_levels import BLOCK_S, LEAST_POWER, BandMeter, averaged, decibels
from engine.model.training_sound import BandRange, TrainingSound
from training.data.video import SILENCE_DB
from training.data.windows import Segment

# T samples of sound, N blocks, K bands

LOUDNESS_S = 0.4
"""Averaging time of loudness: the momentary loudness of EBU Tech 3341, as in the engine's input conditioning."""
LOUD_SHARE, QUIET_SHARE = 0.9, 0.1
CEILING_SHARE = 0.999
"""Of the sounding blocks of a band, so many are no louder than its ceiling. The loudest few come too seldom to be learned."""
_DECIMALS = 2
_READ_FRAMES = 1000


def segments_sound(segments: Sequence[Segment], name: str, loudest_gain_db: float = 0.0) -> TrainingSound:
    """Measure the sound of the parts that are trained; `loudest_gain_db` is the highest gain that training varies it with."""
    clip_format = segments[0].clip.format
    hop = clip_format.sample_rate_hz / clip_format.fps

    def parts() -> Iterator[NDArray[np.float32]]:
        for segment in segments:
            first, end = segment.frame_range.first, segment.frame_range.end
            for start in range(first, end, _READ_FRAMES):
                yield np.asarray(segment.clip.sound_S[round(start * hop) : round(min(start + _READ_FRAMES, end) * hop)])

    return measured_sound(parts(), clip_format.sample_rate_hz, round(hop), name, loudest_gain_db)


def measured_sound(
    parts: Iterable[NDArray[np.float32]], rate_hz: int, hop_samples: int, name: str, loudest_gain_db: float = 0.0
) -> TrainingSound:
    """Measure parts of mono sound [T] at the model's rate, in blocks as a show measures its own. `name` says what it is."""
    meter, powers, samples, peak = BandMeter(rate_hz, hop_samples), list[NDArray[np.float64]](), 0, 0.0
    for part_T in parts:
        samples, peak = samples + len(part_T), max(peak, float(np.abs(part_T).max(initial=0.0)))
        whole = len(part_T) // hop_samples * hop_samples
        powers += [meter.powers(part_T[start : start + hop_samples]) for start in range(0, whole, hop_samples)]
    power_NK = np.concatenate(powers or [meter.powers(np.zeros(hop_samples, np.float32))])
    power_N = power_NK.sum(axis=1)
    sounding_N = decibels(power_N) > SILENCE_DB
    if not sounding_N.any():
        sounding_N[:] = True
    loudness_N = decibels(averaged(power_N, BLOCK_S, LOUDNESS_S))[sounding_N]
    quiet_K, ceiling_K = np.quantile(decibels(power_NK[sounding_N]), (QUIET_SHARE, CEILING_SHARE), axis=0)
    edges_hz = meter.band_edges_hz
    return TrainingSound(
        loudness_db=_rounded(np.quantile(loudness_N, LOUD_SHARE)),
        quiet_db=_rounded(np.quantile(loudness_N, QUIET_SHARE)),
        # Training clips, as a show does.
        peak_db=min(0.0, _rounded(20.0 * np.log10(max(peak, LEAST_POWER**0.5)) + loudest_gain_db)),
        bands=tuple(
            BandRange(
                low_hz=low_hz,
                high_hz=high_hz,
                quiet_db=_rounded(quiet_db),
                loud_db=_rounded(ceiling_db + loudest_gain_db),
            )
            for low_hz, high_hz, quiet_db, ceiling_db in zip(
                edges_hz[:-1], edges_hz[1:], quiet_K, ceiling_K, strict=True
            )
        ),
        sound=f"{name}, {samples / rate_hz:.0f} s",
    )


def _rounded(value_db: np.floating | float) -> float:
    return round(float(value_db), _DECIMALS)
