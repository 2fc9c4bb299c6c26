import functools

import librosa
import numpy as np
import pytest
import torch

from engine.core.errors import TrainingError
from training.core.front_end import REFERENCE_RATE_HZ, FrontEnd, FrontEndConfig, settings_as_saved
from training.data.windows import WindowTiming, sound_windows

RATES_HZ = (16000, 22050, 44100, 48000, 64000)
LIMIT_DB, LIMIT_RELATIVE = 1e-3, 1e-4
FPS = 25
SECONDS = 2


@functools.cache
def sound(rate_hz: int) -> np.ndarray:
    """Return the same sound at any rate: 300 tones up to 7.8 kHz and one that rises and fades."""
    numbers = np.random.default_rng(1)
    time_s = np.arange(SECONDS * rate_hz) / rate_hz
    rising = 0.3 * np.sin(2 * np.pi * (200 * time_s + 1500 * time_s**2)) * np.sin(2 * np.pi * 1.3 * time_s) ** 2
    for hz, loud, phase in numbers.uniform((50, 0, 0), (7800, 0.02, 2 * np.pi), (300, 3)):
        rising += loud * np.sin(2 * np.pi * hz * time_s + phase)
    return rising.astype(np.float32)


def reference_features(kind: str, rate_hz: int = REFERENCE_RATE_HZ) -> np.ndarray:
    """Features of every frame as arXiv 2406.16155 describes them, through librosa at `rate_hz`: [frames, features]."""
    column, hop = round(0.025 * rate_hz), round(0.010 * rate_hz)
    mel = librosa.feature.melspectrogram(
        y=sound(rate_hz), sr=rate_hz, n_fft=2 ** int(np.ceil(np.log2(column))), hop_length=hop, win_length=column,
        n_mels=64, fmin=125, fmax=7500,
    )  # fmt: skip
    stride = 100 // FPS
    chunks = [mel[:, stride * k : stride * k + 8] for k in range((mel.shape[1] - 8) // stride + 1)]
    if kind == "lms":
        chunks = [librosa.power_to_db(chunk, ref=np.max) for chunk in chunks]
    if kind == "mfcc":
        chunks = [librosa.feature.mfcc(S=librosa.power_to_db(chunk), n_mfcc=20) for chunk in chunks]
    return np.stack([chunk.mean(axis=1) for chunk in chunks])


def features_of(config: FrontEndConfig, frames: int) -> np.ndarray:
    """Return our features of the frames 1 … `frames`: window k belongs to frame k + 1."""
    timing = WindowTiming(
        window_samples=config.window_samples,
        hop_samples=config.sample_rate_hz // FPS,
        look_ahead_samples=config.look_ahead_samples,
    )
    windows = sound_windows(sound(config.sample_rate_hz), 0, frames, timing)
    return FrontEnd(config)(torch.from_numpy(windows)).numpy()


def assert_equal_features(came: np.ndarray, expected: np.ndarray, kind: str) -> None:
    if kind == "mel":
        np.testing.assert_allclose(came, expected, rtol=LIMIT_RELATIVE)
    else:
        np.testing.assert_allclose(came, expected, rtol=0, atol=LIMIT_DB)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("kind", ["mel", "lms", "mfcc"])
def test_reference_features_equal_librosa_at_the_rate_of_the_original(kind: str, rate_hz: int) -> None:
    # The first and last chunks are left out: a sound that begins or ends at once is another sound at each rate.
    expected = reference_features(kind)[1:-3]
    came = features_of(FrontEndConfig(kind=kind, sample_rate_hz=rate_hz), len(expected))  # type: ignore[arg-type]
    assert_equal_features(came, expected, kind)


@pytest.mark.parametrize("rate_hz", [16000, 48000])
@pytest.mark.parametrize("kind", ["mel", "lms", "mfcc"])
def test_checkpoints_from_before_keep_the_features_of_their_own_rate(kind: str, rate_hz: int) -> None:
    saved = settings_as_saved({"kind": kind, "sample_rate_hz": rate_hz, "mel_bands": 64})
    expected = reference_features(kind, rate_hz)[1:-3]
    assert_equal_features(features_of(FrontEndConfig(**saved), len(expected)), expected, kind)


def test_settings_that_were_saved_are_kept() -> None:
    assert settings_as_saved({"kind": "mel", "spectrum_rate_hz": 64000})["spectrum_rate_hz"] == 64000
    assert settings_as_saved({"kind": "mel"})["spectrum_rate_hz"] == 16000
    assert FrontEndConfig(**settings_as_saved({})) == FrontEndConfig()


def test_reference_chunk_has_eight_columns_and_looks_ahead() -> None:
    config = FrontEndConfig(kind="lms", sample_rate_hz=REFERENCE_RATE_HZ)
    assert config.column_count == 8
    assert config.look_ahead_samples / REFERENCE_RATE_HZ == pytest.approx(0.0825)


def test_stage_is_level_aware_and_silence_is_silence() -> None:
    front_end = FrontEnd(FrontEndConfig())
    tone = torch.from_numpy(sound(16000)[:1360])[None]
    assert front_end(torch.zeros(1, 1360)).abs().max() == 0
    loud, quiet = front_end(tone), front_end(0.1 * tone)
    heard = quiet > 0.05
    torch.testing.assert_close((loud - quiet)[heard], torch.full_like(loud[heard], 20 / 80), atol=1e-3, rtol=0)


def test_lms_of_the_reference_does_not_know_loudness() -> None:
    front_end = FrontEnd(FrontEndConfig(kind="lms", sample_rate_hz=16000))
    tone = torch.from_numpy(sound(16000)[: front_end.config.window_samples])[None]
    torch.testing.assert_close(front_end(tone), front_end(0.1 * tone), atol=1e-2, rtol=0)


def test_newest_column_hears_an_onset_at_once() -> None:
    front_end = FrontEnd(FrontEndConfig(newest_column=True))
    click = torch.zeros(1, 1360)
    click[:, -200:-150] = 0.9
    mean, newest = front_end(click).chunk(2, dim=1)
    assert front_end.config.look_ahead_samples == 0
    assert newest.mean() > 3 * mean.mean() > 0


def test_flux_hears_what_begins_and_not_what_stands_still_or_ends() -> None:
    front_end = FrontEnd(FrontEndConfig(flux=True))
    assert front_end.config.feature_count == 2 * front_end.config.mel_bands
    steady = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 1360)).astype(np.float32)) * 0.1
    begins, ends = steady.clone(), steady.clone()
    begins[:, :-400] *= 0.05
    ends[:, -400:] *= 0.05
    flux = {n: front_end(s).chunk(2, dim=1)[1] for n, s in (("steady", steady), ("begins", begins), ("ends", ends))}
    assert flux["begins"].mean() > 3.0 * flux["steady"].mean() > 0
    assert flux["ends"].max() == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"high_hz": 9000.0}, "at most 8000 Hz"),
        ({"low_hz": 8000.0}, "low must be below high"),
        ({"chunk_s": 0.01}, "chunk_s"),
        ({"kind": "lms", "newest_column": True}, "newest_column"),
        ({"kind": "mel", "flux": True}, "flux"),
        ({"kind": "mel", "spectrum_rate_hz": 8000}, "at least 15000"),
    ],
)
def test_impossible_settings_are_one_sentence(settings: dict[str, object], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        FrontEndConfig(**settings)  # type: ignore[arg-type]
