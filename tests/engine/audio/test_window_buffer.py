"""Resampling and windows: bit-exact for every block size."""

import numpy as np
import pytest

from engine.audio.resample import Resampler
from engine.audio.window_buffer import LONGEST_WINDOW_S, WindowBuffer
from engine.media.cleaning import cleaned
from tests.engine.app.shows import DEVICE_BLOCKS, varied_sound
from tests.engine.model.probe_model import CARD

RATES_HZ = (48000, 44100, 16000, 11025)


def resampled(sound_TC: np.ndarray, rate_hz: int, block: int) -> np.ndarray:
    resampler = Resampler(rate_hz, 16000)
    parts = [resampler.feed(sound_TC[i : i + block]) for i in range(0, len(sound_TC), block)]
    return np.concatenate([*parts, resampler.finish()])


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_blocks_do_not_change_a_bit(rate_hz: int, channels: int) -> None:
    sound_TC = varied_sound(0.5, rate_hz, channels)
    whole = resampled(sound_TC, rate_hz, len(sound_TC))
    assert len(whole) == pytest.approx(8000, abs=1)
    for block in DEVICE_BLOCKS:
        assert np.array_equal(resampled(sound_TC, rate_hz, block), whole), block


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_a_tone_keeps_its_time_and_frequency(rate_hz: int) -> None:
    seconds, tone_hz = 1.0, 1000.0
    tone = np.sin(2 * np.pi * tone_hz * np.arange(rate_hz) / rate_hz).astype(np.float32)[:, None]
    came = resampled(tone, rate_hz, 512)
    expected = np.sin(2 * np.pi * tone_hz * np.arange(round(16000 * seconds)) / 16000)
    middle = slice(2000, 14000)
    shift = min(range(-8, 9), key=lambda s: float(np.abs(came[2000 + s : 14000 + s] - expected[middle]).max()))
    assert shift == 0
    assert np.sqrt(np.square(came[middle]).mean()) == pytest.approx(np.sqrt(0.5), rel=0.01)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_the_delay_is_measured_and_constant(rate_hz: int) -> None:
    resampler = Resampler(rate_hz, 16000)
    assert 0.0 <= resampler.delay_s < 0.002
    second = np.zeros((rate_hz, 1), np.float32)
    missing = [
        (i + 1) * 16000 - total for i, total in enumerate(np.cumsum([len(resampler.feed(second)) for _ in range(60)]))
    ]
    assert missing[-1] == missing[0]
    assert missing[-1] / 16000 == pytest.approx(resampler.delay_s, abs=0.005)


def test_equal_rates_pass_through() -> None:
    sound_TC = varied_sound(0.1, 16000, 1)
    assert np.array_equal(resampled(sound_TC, 16000, 100), sound_TC[:, 0])


def test_windows_reach_back_into_silence_and_slide_by_a_hop() -> None:
    window_buffer = WindowBuffer(CARD, 16000, 1)
    sound_TC = varied_sound(0.5, 16000, 1)
    window_buffer.append(sound_TC, 10.0)
    window_samples = LONGEST_WINDOW_S * CARD.sample_rate_hz
    padded = np.concatenate([np.zeros(window_samples, np.float32), cleaned(sound_TC[:, 0], 16000)[0]])
    for index in (0, 1, 4, 9):
        end = (index + 1) * CARD.hop_samples
        assert np.array_equal(window_buffer.window(index), padded[end : end + window_samples])
        assert window_buffer.captured_s(end) == pytest.approx(10.0 - 0.5 + end / 16000)


def test_every_sample_of_the_source_is_popped_once() -> None:
    for block in DEVICE_BLOCKS:
        window_buffer, sound_TC = WindowBuffer(CARD, 44100, 2), varied_sound(0.33, 44100)
        for begin in range(0, len(sound_TC), block):
            window_buffer.append(sound_TC[begin : begin + block], None)
        window_buffer.finish()
        hops = window_buffer.received_samples // CARD.hop_samples
        assert hops == 7
        parts = [window_buffer.pop_sound(index) for index in (0, 1, 4, 5, 6)]
        assert [len(part) for part in parts[:3]] == [2205, 2205, 6615]
        assert np.array_equal(np.concatenate(parts), sound_TC)


def test_faults_are_told_once_and_the_source_sound_stays_as_it_came() -> None:
    window_buffer, sound_TC = WindowBuffer(CARD, 48000, 2), varied_sound(1.0, 48000, 2)
    sound_TC[24000, 1] = np.nan
    told: list[str] = []
    for begin in range(0, len(sound_TC), 480):
        assert np.isfinite(window_buffer.append(sound_TC[begin : begin + 480], None)).all()
        told += window_buffer.notices()
    window_buffer.finish()
    assert told == ["The sound has 1 sample that is no number or is beyond ±16, at 0.500 s; it plays as silence."]
    assert window_buffer.notices() == []
    popped_TC = np.concatenate([window_buffer.pop_sound(index) for index in range(20)])
    assert np.array_equal(popped_TC, sound_TC, equal_nan=True)
