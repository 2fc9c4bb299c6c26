"""The input trim: its power response and phase, exact bypass, gains that move, and the rule of when they are heard."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.audio.band_trim import FASTEST_DB_A_SECOND, NEUTRAL, BandGains, BandTrim
from engine.audio.features.analyser import FeatureAnalyser
from engine.audio.features.bands import HIGH_HZ, MID_HZ

RATE_HZ, HOP = 16000, 800
GAINS = [
    BandGains(-12.0, 0.0, 0.0),
    BandGains(0.0, 0.0, 12.0),
    BandGains(-24.0, 6.0, 3.0),
    BandGains(24.0, -24.0, 24.0),
    BandGains(0.0, 12.0, 0.0),
]

Sound = NDArray[np.float32]


def trimmed(
    sound_T: Sound, targets: list[BandGains], rate_hz: int = RATE_HZ, hop: int = HOP, block: int = HOP
) -> Sound:
    """Trim a sound hop by hop, in blocks."""
    trim, parts = BandTrim(rate_hz, hop), list[Sound]()
    for index, target in enumerate(targets):
        trim.begin_hop(target)
        hop_T = sound_T[index * hop : (index + 1) * hop]
        parts += [trim.feed(hop_T[begin : begin + block]) for begin in range(0, len(hop_T), block)]
    return np.concatenate(parts)


def noise(hops: int) -> Sound:
    return (0.1 * np.random.default_rng(3).standard_normal(hops * HOP)).astype(np.float32)


@pytest.mark.parametrize("rate_hz", [8000, 16000, 22050, 48000])
@pytest.mark.parametrize("gains", GAINS)
def test_the_power_of_each_band_has_its_gain(gains: BandGains, rate_hz: int) -> None:
    hop = rate_hz // 20
    impulse_T = np.zeros(20 * hop, np.float32)
    impulse_T[0] = 1.0
    response = np.fft.rfft(trimmed(impulse_T, [gains] * 20, rate_hz, hop))
    # The bilinear transform squeezes frequencies towards half the rate.
    warped = np.tan(np.pi * np.arange(len(response)) / len(impulse_T))
    f1, f2 = np.tan(np.pi * np.array([MID_HZ, HIGH_HZ]) / rate_hz)
    with np.errstate(over="ignore", invalid="ignore"):
        low, high = f1**4 / (f1**4 + warped**4), 1.0 - f2**4 / (f2**4 + warped**4)
    powers = [10.0 ** (gain_db / 10.0) for gain_db in gains]
    expected = powers[0] * low + powers[1] * (1.0 - low - high) + powers[2] * high
    assert 10 * np.log10(np.abs(response[1:-1]) ** 2) == pytest.approx(10 * np.log10(expected[1:-1]), abs=0.01)


@pytest.mark.parametrize("gains", GAINS)
def test_no_filter_of_this_power_response_is_earlier(gains: BandGains) -> None:
    """The impulse response is the one of minimum phase, made here from the magnitude by the cepstrum."""
    impulse_T = np.zeros(20 * HOP, np.float32)
    impulse_T[0] = 1.0
    response_T = trimmed(impulse_T, [gains] * 20).astype(np.float64)
    cepstrum = np.fft.irfft(np.log(np.abs(np.fft.rfft(response_T))))
    cepstrum[1 : len(cepstrum) // 2] *= 2.0
    cepstrum[len(cepstrum) // 2 + 1 :] = 0.0
    earliest_T = np.fft.irfft(np.exp(np.fft.rfft(cepstrum)))
    assert response_T == pytest.approx(earliest_T, abs=1e-5 * np.abs(response_T).max())


@pytest.mark.parametrize("block", [1, 7, 160, 441])
def test_blocks_of_every_size_give_the_same_bits(block: int) -> None:
    rng = np.random.default_rng(1)
    targets = [BandGains(*rng.uniform(-24, 24, 3)) if rng.random() < 0.6 else NEUTRAL for _ in range(40)]
    sound_T = noise(40)
    assert np.array_equal(trimmed(sound_T, targets, block=block), trimmed(sound_T, targets))


def test_at_0_db_the_sound_passes_untouched_also_after_a_trim() -> None:
    trim, hop_T = BandTrim(RATE_HZ, HOP), noise(1)
    trim.begin_hop(NEUTRAL)
    assert trim.feed(hop_T) is hop_T
    trim.begin_hop(BandGains(6.0, 0.0, 0.0))
    assert trim.feed(hop_T) is not hop_T
    for _ in range(4):
        trim.begin_hop(NEUTRAL)
        trim.feed(hop_T)
    trim.begin_hop(NEUTRAL)
    assert trim.feed(hop_T) is hop_T


def test_a_gain_that_was_set_before_the_first_sample_holds_from_it() -> None:
    sound_T = noise(4)
    whole = trimmed(sound_T, [BandGains(12.0, 12.0, 12.0)] * 4)
    assert whole == pytest.approx(sound_T * 10 ** (12 / 20), abs=1e-6)


def test_a_gain_takes_its_time() -> None:
    target, sound_T = BandGains(12.0, 12.0, 12.0), np.ones(20 * HOP, np.float32)
    gain_db = 20 * np.log10(trimmed(sound_T, [NEUTRAL] + [target] * 19))
    reached = int(np.argmax(gain_db > 11.99))
    assert (reached - HOP) / RATE_HZ == pytest.approx(12.0 / FASTEST_DB_A_SECOND, abs=0.01)


@pytest.mark.parametrize(
    "turned", [BandGains(24, 0, 0), BandGains(0, 24, 0), BandGains(0, 0, 24), BandGains(24, 24, 24)]
)
@pytest.mark.parametrize("tone_hz", [60.0, 440.0, 5000.0])
def test_a_parameter_that_is_turned_is_no_onset_and_no_click(turned: BandGains, tone_hz: float) -> None:
    hops = 160
    tone_T = (0.1 * np.sin(2 * np.pi * tone_hz * np.arange(hops * HOP) / RATE_HZ)).astype(np.float32)
    down = BandGains(*(-gain_db for gain_db in turned))
    targets = [NEUTRAL] * 60 + [turned] * 25 + [down] * 25 + [turned] * 25 + [NEUTRAL] * 25
    heard_T = trimmed(tone_T, targets)
    analyser = FeatureAnalyser(RATE_HZ)
    analyser.feed(heard_T[: 60 * HOP])
    before = analyser.latest().onsets
    analyser.feed(heard_T[60 * HOP :])
    assert analyser.latest().onsets == before
    # Beside the tone, nothing: less than a ten thousandth of the loudest sample.
    window = np.blackman(HOP)
    spectra = np.abs(np.fft.rfft(heard_T.reshape(-1, HOP) * window)) / window.sum() * 2
    distance_hz = np.abs(np.fft.rfftfreq(HOP, 1 / RATE_HZ) - tone_hz)
    assert spectra[:, distance_hz > 400].max() < 1e-4 * np.abs(heard_T).max()


def test_a_fault_of_the_source_passes() -> None:
    sound_T = np.zeros(20 * HOP, np.float32)
    sound_T[100:110] = 1e30
    heard_T = trimmed(sound_T, [BandGains(12.0, -6.0, 3.0)] * 20)
    assert np.abs(heard_T[10 * HOP :]).max() < 1e-6


def test_meters_tell_the_trimmed_bands() -> None:
    """Tones in the middle of each band, 10 dB apart from what they were."""
    time_s = np.arange(40 * HOP) / RATE_HZ
    tones_T = np.add.reduce([0.1 * np.sin(2 * np.pi * tone_hz * time_s) for tone_hz in (40.0, 650.0, 6000.0)]).astype(
        np.float32
    )
    plain, cut = FeatureAnalyser(RATE_HZ), FeatureAnalyser(RATE_HZ)
    plain.feed(tones_T)
    cut.feed(trimmed(tones_T, [BandGains(-10.0, 0.0, 10.0)] * 40))
    before, after = plain.latest(), cut.latest()
    assert 20 * np.log10(before.mid_rms) == pytest.approx(20 * np.log10(0.1 / np.sqrt(2)), abs=0.7)
    assert 20 * np.log10(after.low_rms / before.low_rms) == pytest.approx(-10.0, abs=0.7)
    assert 20 * np.log10(after.mid_rms / before.mid_rms) == pytest.approx(0.0, abs=0.7)
    assert 20 * np.log10(after.high_rms / before.high_rms) == pytest.approx(10.0, abs=0.7)
