"""Named inputs on their way: what the model, the analysers and films get of them."""

from __future__ import annotations

import numpy as np
import pytest

from engine.audio.band_trim import NEUTRAL
from engine.audio.capture import AudioCapture
from engine.audio.features.analyser import FeatureAnalyser
from engine.audio.features.audio_features import AudioFeatures, extrapolate
from engine.audio.input_layout import MIX, UNNAMED, InputLayout, SoundInput
from engine.audio.input_mix import film_channels, film_sound, model_sound
from engine.audio.resample import Resampler
from engine.audio.sources.samples import SampleSource
from engine.audio.window_buffer import WindowBuffer
from engine.core.notices import Notices
from engine.media.channels import mix_down
from engine.media.cleaning import SoundCleaner
from engine.render.pacing import Pick
from tests.engine.app.shows import DEVICE_BLOCKS, InventedClock, varied_sound
from tests.engine.model.probe_model import CARD

RATE_HZ = 48000
LAYOUT = InputLayout(
    (SoundInput("drums", (0, 1)), SoundInput("voice", (4,)), SoundInput("all", (0, 1, 2, 3, 4))), "drums"
)
HOPS = 20
SOUND_TC = varied_sound(1.0, RATE_HZ, 5)


def captured(layout: InputLayout, block_samples: int = 1024) -> AudioCapture:
    """Return a capture that has read all of SOUND_TC, while its last hop is stepped."""
    source = SampleSource("song", SOUND_TC, RATE_HZ, block_samples=block_samples)
    buffer = WindowBuffer(CARD, RATE_HZ, source.channels, layout)
    capture = AudioCapture(source, buffer, InventedClock(), Notices(lambda line: None), layout)
    while not capture.has_ended:
        capture.wait(0)
    capture.pick(lambda received_samples: Pick(HOPS - 1, HOPS - 1))
    capture.begin_hop(HOPS - 1, NEUTRAL)
    return capture


def test_a_sound_without_names_is_not_touched() -> None:
    for channels in (1, 2):
        sound_TC = SOUND_TC[:, :channels]
        assert model_sound(UNNAMED, sound_TC) is sound_TC
        assert film_sound(UNNAMED, sound_TC) is sound_TC
        assert film_channels(UNNAMED, channels) == channels
    assert model_sound(UNNAMED, SOUND_TC) is SOUND_TC


def test_films_have_two_channels_at_most() -> None:
    assert film_channels(UNNAMED, 8) == film_channels(LAYOUT, 5) == 2
    mono = InputLayout((SoundInput("a", (0,)), SoundInput("b", (3,))), "a")
    assert film_channels(mono, 5) == 1
    assert film_sound(mono, SOUND_TC)[:, 0] == pytest.approx((SOUND_TC[:, 0] + SOUND_TC[:, 3]) / np.sqrt(2), abs=1e-6)
    wide_TC = film_sound(UNNAMED, SOUND_TC)
    assert wide_TC.shape == (RATE_HZ, 2)
    assert np.array_equal(wide_TC[:, 0], mix_down(SOUND_TC))


def test_a_stereo_input_stays_on_its_sides_and_a_mono_input_is_in_the_middle() -> None:
    layout = InputLayout((SoundInput("drums", (0, 1)), SoundInput("voice", (4,))), "drums")
    mixed_TC = film_sound(layout, SOUND_TC)
    for side in (0, 1):
        assert mixed_TC[:, side] == pytest.approx((SOUND_TC[:, side] + SOUND_TC[:, 4]) / np.sqrt(2), abs=1e-6)


def test_the_model_gets_its_input_or_the_mix() -> None:
    assert np.array_equal(model_sound(LAYOUT, SOUND_TC), SOUND_TC[:, [0, 1]])
    voice = InputLayout(LAYOUT.inputs, "voice")
    assert np.array_equal(model_sound(voice, SOUND_TC), SOUND_TC[:, [4]])
    two = InputLayout(LAYOUT.inputs[:2], MIX)
    expected_T = (mix_down(SOUND_TC[:, [0, 1]]) + SOUND_TC[:, 4]) / np.sqrt(2)
    assert model_sound(two, SOUND_TC)[:, 0] == pytest.approx(expected_T, abs=1e-6)


def test_samples_that_are_not_finite_are_silence_in_films() -> None:
    sound_TC = SOUND_TC.copy()
    sound_TC[10], sound_TC[11] = np.nan, np.inf
    assert np.isfinite(film_sound(LAYOUT, sound_TC)).all()


@pytest.mark.parametrize("model_input", ["drums", "voice", MIX])
def test_each_input_has_the_features_of_its_own_sound(model_input: str) -> None:
    capture = captured(InputLayout(LAYOUT.inputs, model_input))
    features = capture.latest()
    assert list(features.inputs) == ["drums", "voice", "all"]
    for one in LAYOUT.inputs:
        cleaner = SoundCleaner(RATE_HZ)
        analyser, resampler = FeatureAnalyser(CARD.sample_rate_hz), Resampler(RATE_HZ, CARD.sample_rate_hz)
        for block_TC in np.array_split(SOUND_TC[:, one.columns], 50):
            analyser.feed(resampler.feed(cleaner.feed(block_TC)[:, None]))
        analyser.feed(resampler.finish())
        for sample in (1600, 8000, 15000):
            alone, beside = analyser.at_sample(sample), capture.features_at(sample).inputs[one.name]
            assert (beside.level, beside.low, beside.mid, beside.high, beside.onsets, beside.onset_age_s) == (
                alone.level, alone.low, alone.mid, alone.high, alone.onsets, alone.onset_age_s
            )  # fmt: skip
    assert capture.onsets >= features.onsets > 0


def test_the_block_size_does_not_matter() -> None:
    layout = InputLayout(LAYOUT.inputs, MIX)

    def hops(block_samples: int) -> list[tuple[AudioFeatures, bytes, bytes]]:
        capture = captured(layout, block_samples)
        return [
            (
                capture.features_at((index + 1) * CARD.hop_samples),
                capture.window(index).tobytes(),
                capture.pop_sound(index).tobytes(),
            )
            for index in range(HOPS)
        ]

    expected = hops(DEVICE_BLOCKS[-1])
    for block_samples in DEVICE_BLOCKS[1:-1]:
        assert hops(block_samples) == expected


def test_a_show_without_names_has_no_features_of_inputs() -> None:
    capture = captured(UNNAMED)
    assert capture.features_at(8000).inputs == {}
    assert capture.onsets == capture.latest().onsets


def test_an_onset_of_any_input_wakes_the_present_loop() -> None:
    """The model gets silence, and the drums are beside it."""
    click_T = np.zeros(CARD.sample_rate_hz)
    click_T[6000:6200] = np.random.default_rng(1).standard_normal(200)
    sound_TC = np.stack([np.zeros(CARD.sample_rate_hz), click_T], axis=1).astype(np.float32)
    source = SampleSource("clicks", sound_TC, CARD.sample_rate_hz)
    layout = InputLayout((SoundInput("room", (0,)), SoundInput("drums", (1,))), "room")
    capture = AudioCapture(
        source, WindowBuffer(CARD, CARD.sample_rate_hz, 2, layout), InventedClock(), Notices(lambda line: None), layout
    )
    woken: list[int] = []
    capture.subscribe_onsets(lambda: woken.append(capture.latest().inputs["drums"].onsets))
    while not capture.has_ended:
        capture.wait(0)
    assert woken == [1]
    assert capture.latest().onsets == 0


def test_the_onsets_of_inputs_age_between_two_blocks() -> None:
    drums = AudioFeatures(onsets=3, onset_strength=1.0, onset_age_s=0.1)
    later = extrapolate(AudioFeatures(inputs={"drums": drums}), 0.05)
    assert later.inputs["drums"].onset_age_s == pytest.approx(0.15)
    assert drums.onset_age_s == 0.1
