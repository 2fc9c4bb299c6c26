"""Cleaning: faults become silence, an offset is no sound, and what can be heard stays."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.audio.features.analyser import FeatureAnalyser
from engine.audio.features.audio_features import AudioFeatures
from engine.media.cleaning import CORNER_HZ, LARGEST_SAMPLE, SETTLED_S, SoundCleaner, cleaned, silence_faults

# T audio samples, C channels

RATE_HZ = 48000
TIME_T = np.arange(10 * RATE_HZ) / RATE_HZ
NOISE_T = (0.1 * np.random.default_rng(3).standard_normal(RATE_HZ)).astype(np.float32)


def features(sound_T: NDArray[np.float32], block: int = 480) -> list[AudioFeatures]:
    """Return the features after each block of the cleaned sound."""
    cleaner, analyser, found = SoundCleaner(RATE_HZ), FeatureAnalyser(RATE_HZ), []
    for begin in range(0, len(sound_T), block):
        analyser.feed(cleaner.feed(sound_T[begin : begin + block, None]))
        found.append(analyser.latest())
    return found


@pytest.mark.parametrize("rate_hz", [8000, 16000, 44100, 48000, 192000])
def test_blocks_do_not_change_a_bit(rate_hz: int) -> None:
    whole_T = SoundCleaner(rate_hz).feed(NOISE_T[:, None])
    random = np.random.default_rng(4)
    for block in (1, 7, 128, 441, 4096, None):
        cleaner, parts, begin = SoundCleaner(rate_hz), [], 0
        while begin < len(NOISE_T):
            end = begin + (block or int(random.integers(1, 3000)))
            parts.append(cleaner.feed(NOISE_T[begin:end, None]))
            begin = end
        assert np.array_equal(np.concatenate(parts), whole_T), block


@pytest.mark.parametrize("rate_hz", [16000, 44100, 48000])
def test_magnitude_and_phase_are_as_stated(rate_hz: int) -> None:
    impulse_T = np.zeros(4 * rate_hz, np.float32)
    # Not the first sample, which counts as an offset.
    impulse_T[1] = 1.0
    response_F = np.fft.rfft(cleaned(impulse_T, rate_hz)[0].astype(np.float64)[1:], 4 * rate_hz)
    hz_F = np.arange(len(response_F)) / 4
    assert np.abs(np.abs(response_F[hz_F >= 20]) - 1.0).max() < 1e-4
    assert abs(response_F[0]) < 1e-6
    assert abs(response_F[int(4 * CORNER_HZ)]) == pytest.approx(np.sqrt(0.5), rel=1e-3)
    for tone_hz, degrees in ((20, 3.0), (100, 0.6), (1000, 0.06)):
        assert np.degrees(np.angle(response_F[4 * tone_hz])) == pytest.approx(degrees, rel=0.1)


def test_nothing_is_held_back() -> None:
    click_T = np.zeros(RATE_HZ, np.float32)
    click_T[1000] = 0.5
    assert int(np.abs(cleaned(click_T, RATE_HZ)[0]).argmax()) == 1000


@pytest.mark.parametrize("offset", [0.02, 0.3, -0.3, 1.0, -1 / 128, 1 / 256])
def test_a_constant_offset_is_silence_from_the_first_sample(offset: float) -> None:
    sound_T = np.full(2 * RATE_HZ, offset, np.float32)
    assert not cleaned(sound_T, RATE_HZ)[0].any()
    assert {(one.level, one.low, one.onsets) for one in features(sound_T)} == {(0.0, 0.0, 0)}


@pytest.mark.parametrize(
    "offset_T",
    [0.01 * TIME_T, 0.3 - 0.01 * TIME_T, 0.3 + 0.01 * np.sin(2 * np.pi * 0.05 * TIME_T)],
    ids=["rising", "falling", "slow wave"],
)
def test_a_drifting_offset_has_no_level(offset_T: NDArray[np.float64]) -> None:
    found = features(offset_T.astype(np.float32))
    settled = [one for one in found if one.end_sample >= SETTLED_S * RATE_HZ]
    assert {(one.level, one.low) for one in settled} == {(0.0, 0.0)}
    # Where the drift begins.
    assert found[-1].onsets <= 1


def test_sound_on_an_offset_is_the_sound() -> None:
    tone_T = (0.1 * np.sin(2 * np.pi * 100.0 * TIME_T)).astype(np.float32)
    plain_T, offset_T = cleaned(tone_T, RATE_HZ)[0], cleaned(tone_T + np.float32(0.3), RATE_HZ)[0]
    settled = round(SETTLED_S * RATE_HZ)
    np.testing.assert_allclose(offset_T[settled:], plain_T[settled:], atol=2e-4)
    # Until then no artefact is larger than the sound itself.
    assert np.abs(offset_T - plain_T).max() < 0.15


def test_a_recording_that_begins_within_a_wave_keeps_all_but_the_rest_of_its_half() -> None:
    tone_T = (0.5 * np.cos(2 * np.pi * 100.0 * TIME_T)).astype(np.float32)
    came_T = cleaned(tone_T, RATE_HZ)[0]
    quarter = RATE_HZ // 400
    assert np.abs(came_T[:quarter]).max() < 0.01
    assert np.abs(came_T[quarter + 1 :] - tone_T[quarter + 1 :]).max() < 0.06


def test_an_offset_that_begins_midway_is_one_step() -> None:
    found = features(np.where(TIME_T < 5.0, 0.0, 0.3).astype(np.float32))
    settled = [one for one in found if one.end_sample >= (5.0 + SETTLED_S) * RATE_HZ]
    assert {one.level for one in found if one.end_sample < 5.0 * RATE_HZ} == {0.0}
    assert found[-1].onsets == 1
    assert max(one.level for one in settled[20:]) < 0.01


def test_onsets_are_found_where_they_are_without_an_offset() -> None:
    sound_T = np.zeros(len(TIME_T), np.float32)
    for second in range(1, 9):
        sound_T[second * RATE_HZ : second * RATE_HZ + len(NOISE_T) // 10] = 2 * NOISE_T[: len(NOISE_T) // 10]
    analysers = [FeatureAnalyser(RATE_HZ) for _ in range(3)]
    for analyser, given_T in zip(
        analysers, (sound_T, cleaned(sound_T, RATE_HZ)[0], cleaned(sound_T + np.float32(0.3), RATE_HZ)[0]), strict=True
    ):
        analyser.feed(given_T)
    assert [analyser.latest().onsets for analyser in analysers] == [8, 8, 8]


@pytest.mark.parametrize("fault", [np.nan, np.inf, -np.inf, 1e30, -1.01 * LARGEST_SAMPLE])
def test_a_fault_of_one_channel_is_silence_there_and_told_with_its_time(fault: float) -> None:
    sound_TC = np.stack([NOISE_T, NOISE_T[::-1]], axis=1)
    broken_TC, silent_TC = sound_TC.copy(), sound_TC.copy()
    broken_TC[12000, 0], silent_TC[12000, 0] = fault, 0.0
    cleaner = SoundCleaner(RATE_HZ)
    came_T = cleaner.feed(broken_TC)
    assert np.array_equal(came_T, SoundCleaner(RATE_HZ).feed(silent_TC))
    assert cleaner.faulty_samples == 1
    (notice,) = cleaner.notices()
    assert "1 sample" in notice
    assert "at 0.250 s" in notice
    cleaner.finish()
    assert cleaner.notices() == []


def test_later_faults_are_counted_and_told_at_the_end() -> None:
    sound_T = NOISE_T.copy()
    sound_T[[480, 481, 30000]] = np.nan
    cleaner = SoundCleaner(RATE_HZ)
    told = []
    for begin in range(0, len(sound_T), 480):
        cleaner.feed(sound_T[begin : begin + 480, None])
        told += cleaner.notices()
    assert [notice.split(";")[0] for notice in told] == [
        "The sound has 2 samples that are no numbers or are beyond ±16, the first at 0.010 s"
    ]
    cleaner.finish()
    assert "3 samples" in cleaner.notices()[0]


def test_sound_without_faults_is_the_same_array() -> None:
    loud_TC = np.full((10, 2), LARGEST_SAMPLE, np.float32)
    same_TC, faulty = silence_faults(loud_TC)
    assert same_TC is loud_TC
    assert faulty == 0
    assert silence_faults(np.zeros((0, 2), np.float32))[1] == 0


def test_rates_that_no_filter_serves_pass_through() -> None:
    assert np.array_equal(cleaned(NOISE_T, 1)[0], NOISE_T)
