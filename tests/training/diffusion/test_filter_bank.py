"""Filter banks against Kaldi's definition, written out again in numpy, window by window and band by band, in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from engine.core.errors import TrainingError
from training.diffusion.filter_bank import BEATS, IMAGEBIND, FilterBank, FilterBankConfig, mel_triangles

RATE_HZ = 16000


def chord(seconds: float, seed: int = 0) -> NDArray[np.float32]:
    """Tones that glide, noise and an offset: no band is empty."""
    time_S = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    random = np.random.default_rng(seed)
    tones = sum(np.sin(2 * np.pi * (f + 30 * time_S) * time_S) / (n + 3) for n, f in enumerate((90, 440, 1250, 5200)))
    return (tones + 0.02 * random.standard_normal(len(time_S)) + 0.05).astype(np.float32)


def to_mel(hz: float) -> float:
    return 1127.0 * math.log(1.0 + hz / 700.0)


def levels_of(sound: NDArray[np.float32], window: str, gain: float = 1.0) -> NDArray[np.float64]:
    """Levels before the encoder's mean and deviation, of 128 bands from 20 Hz to 8 kHz in windows of 400 samples every 160."""
    wave = sound.astype(np.float64) * gain
    shape = np.array([0.5 - 0.5 * math.cos(2 * math.pi * i / 399) for i in range(400)])
    if window == "povey":
        shape = shape**0.85
    step = (to_mel(8000.0) - to_mel(20.0)) / 129
    rows = []
    for start in range(0, len(wave) - 400 + 1, 160):
        frame = wave[start : start + 400] - wave[start : start + 400].mean()
        emphasised = frame.copy()
        for i in range(399, 0, -1):
            emphasised[i] -= 0.97 * frame[i - 1]
        emphasised[0] -= 0.97 * frame[0]
        power = np.abs(np.fft.fft(emphasised * shape, 512)) ** 2
        row = []
        for band in range(128):
            left = to_mel(20.0) + band * step
            total = 0.0
            for k in range(256):
                place = to_mel(k * RATE_HZ / 512)
                if left < place <= left + step:
                    total += power[k] * (place - left) / step
                elif left + step < place < left + 2 * step:
                    total += power[k] * (left + 2 * step - place) / step
            row.append(math.log(max(total, float(np.finfo(np.float32).eps))))
        rows.append(row)
    return np.array(rows)


def levels(config: FilterBankConfig, sound: NDArray[np.float32]) -> NDArray[np.float32]:
    return FilterBank(config)(torch.from_numpy(sound)[None])[0].numpy()


def test_levels_of_imagebind() -> None:
    sound = chord(0.1)
    expected = (levels_of(sound, "hann") + 4.268) / 9.138
    np.testing.assert_allclose(levels(IMAGEBIND, sound), expected, atol=1e-4)


def test_levels_of_beats() -> None:
    sound = chord(0.1, seed=1)
    expected = (levels_of(sound, "povey", 32768.0) - 15.41663) / (2 * 6.55582)
    np.testing.assert_allclose(levels(BEATS, sound), expected, atol=1e-4)


def test_the_windows_of_both_encoders_differ() -> None:
    """So the two tests above tell one window from the other."""
    sound = chord(0.1)
    assert np.abs(levels_of(sound, "hann") - levels_of(sound, "povey")).max() > 1e-2


def test_an_offset_changes_nothing() -> None:
    sound = chord(0.1)
    np.testing.assert_allclose(levels(IMAGEBIND, sound - sound.mean()), levels(IMAGEBIND, sound), atol=1e-4)


def test_two_seconds_give_198_windows() -> None:
    assert levels(IMAGEBIND, chord(2.0)).shape == (198, 128)
    assert IMAGEBIND.window_count(2 * RATE_HZ) == 198
    assert IMAGEBIND.window_count(399) == 0


def test_silence_has_the_least_level() -> None:
    floor = (math.log(float(np.finfo(np.float32).eps)) + 4.268) / 9.138
    np.testing.assert_allclose(levels(IMAGEBIND, np.zeros(800, np.float32)), floor, rtol=1e-6)


def test_a_batch_gives_what_its_sounds_give() -> None:
    one, other = chord(0.2), chord(0.2, seed=2)
    together = FilterBank(IMAGEBIND)(torch.from_numpy(np.stack([one, other])))
    np.testing.assert_allclose(together[0].numpy(), levels(IMAGEBIND, one), atol=1e-5)
    np.testing.assert_allclose(together[1].numpy(), levels(IMAGEBIND, other), atol=1e-5)


def test_each_bin_between_the_outer_centres_counts_once() -> None:
    """Neighbouring triangles share a slope: what one loses, the next one gains. The lowest bands are narrower than a bin."""
    totals_K = mel_triangles(FilterBankConfig(mel_bands=40)).sum(0)
    np.testing.assert_allclose(totals_K[4:239].numpy(), 1.0, atol=1e-12)
    assert totals_K[0] == totals_K[256] == 0.0


def test_too_little_sound_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"399 samples; at least one window of 400 \(0\.025 s at 16000 Hz\)"):
        FilterBank(IMAGEBIND)(torch.zeros(1, 399))


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"low_hz": 9000.0}, "from 9000 to 8000 Hz"),
        ({"high_hz": 8001.0}, "from 20 to 8001 Hz"),
        ({"mel_bands": 0}, "has 0 bands"),
        ({"hop_s": 0.0}, "every 0 s"),
        ({"deviation": 0.0}, "deviation of 0"),
    ],
)
def test_impossible_filter_banks_are_refused(wrong: dict[str, float], sentence: str) -> None:
    with pytest.raises(TrainingError, match=sentence):
        FilterBankConfig(**wrong)  # type: ignore[arg-type]
