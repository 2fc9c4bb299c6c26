import librosa
import numpy as np
import pytest
import torch

from engine.core.errors import TrainingError
from training.core.front_end import FrontEnd, FrontEndConfig

REFERENCE_RATE_HZ = 64000


def sound(samples: int, rate_hz: int) -> np.ndarray:
    time_s = np.arange(samples) / rate_hz
    noise = np.random.default_rng(1).standard_normal(samples)
    return (0.4 * np.sin(2 * np.pi * 700 * time_s * (1 + time_s)) + 0.05 * noise).astype(np.float32)


def reference_features(audio: np.ndarray, kind: str) -> np.ndarray:
    """Features of every 50 ms as arXiv 2406.16155 describes them, through librosa: [frames, features]."""
    mel = librosa.feature.melspectrogram(
        y=audio, sr=REFERENCE_RATE_HZ, n_fft=2048, hop_length=640, win_length=1600, n_mels=64, fmin=125, fmax=7500
    )
    chunks = [mel[:, 5 * k : 5 * k + 8] for k in range((mel.shape[1] - 8) // 5 + 1)]
    if kind == "lms":
        chunks = [librosa.power_to_db(chunk, ref=np.max) for chunk in chunks]
    if kind == "mfcc":
        chunks = [librosa.feature.mfcc(S=librosa.power_to_db(chunk), n_mfcc=20) for chunk in chunks]
    return np.stack([chunk.mean(axis=1) for chunk in chunks])


@pytest.mark.parametrize("kind", ["mel", "lms", "mfcc"])
def test_reference_features_equal_librosa(kind: str) -> None:
    config = FrontEndConfig(kind=kind, sample_rate_hz=REFERENCE_RATE_HZ)  # type: ignore[arg-type]
    front_end = FrontEnd(config)
    audio = sound(REFERENCE_RATE_HZ, REFERENCE_RATE_HZ)
    expected = reference_features(audio, kind)
    # Window j ends where chunk j + 1 does; the first chunk reaches into the padding before the sound.
    end = [(j + 1) * 3200 + config.look_ahead_samples for j in range(len(expected) - 2)]
    windows = torch.stack([torch.from_numpy(audio[e - config.window_samples : e]) for e in end])
    came = front_end(windows).numpy()
    np.testing.assert_allclose(came, expected[1:-1], rtol=1e-3, atol=2e-3)


def test_reference_chunk_has_eight_columns_and_looks_ahead() -> None:
    config = FrontEndConfig(kind="lms", sample_rate_hz=REFERENCE_RATE_HZ)
    assert config.column_count == 8
    assert config.look_ahead_samples / REFERENCE_RATE_HZ == pytest.approx(0.0825)


def test_stage_is_level_aware_and_silence_is_silence() -> None:
    front_end = FrontEnd(FrontEndConfig())
    tone = torch.from_numpy(sound(1360, 16000))[None]
    assert front_end(torch.zeros(1, 1360)).abs().max() == 0
    loud, quiet = front_end(tone), front_end(0.1 * tone)
    heard = quiet > 0.05
    torch.testing.assert_close((loud - quiet)[heard], torch.full_like(loud[heard], 20 / 80), atol=1e-3, rtol=0)


def test_lms_of_the_reference_does_not_know_loudness() -> None:
    front_end = FrontEnd(FrontEndConfig(kind="lms", sample_rate_hz=16000))
    tone = torch.from_numpy(sound(front_end.config.window_samples, 16000))[None]
    torch.testing.assert_close(front_end(tone), front_end(0.1 * tone), atol=1e-2, rtol=0)


def test_newest_column_hears_an_onset_at_once() -> None:
    front_end = FrontEnd(FrontEndConfig(newest_column=True))
    click = torch.zeros(1, 1360)
    click[:, -200:-150] = 0.9
    mean, newest = front_end(click).chunk(2, dim=1)
    assert front_end.config.look_ahead_samples == 0
    assert newest.mean() > 3 * mean.mean() > 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"high_hz": 9000.0}, "at most 8000 Hz"),
        ({"low_hz": 8000.0}, "low must be below high"),
        ({"chunk_s": 0.01}, "chunk_s"),
        ({"kind": "lms", "newest_column": True}, "newest_column"),
    ],
)
def test_impossible_settings_are_one_sentence(settings: dict[str, object], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        FrontEndConfig(**settings)  # type: ignore[arg-type]
