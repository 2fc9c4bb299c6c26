"""Classifiers: their files, their shapes, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from engine.core.errors import TrainingError
from tests.training.clips import moving_clip
from training.evaluation.synchrony import classifier_figures
from training.evaluation.synchrony.classifier import ClassifierConfig, SmallClassifier, sample_rate_for
from training.evaluation.synchrony.classifier_figures import (
    FilmClassification,
    classify,
    exchanges,
    length_notices,
    rel_sync,
    stretch_starts_s,
)
from training.evaluation.synchrony.classifier_files import load_classifier, save_classifier
from training.evaluation.synchrony.classifier_training import stretches_of
from training.evaluation.synchrony.film import Film, read_film
from training.evaluation.synchrony.original_classifier import (
    PARTS,
    OriginalClassifier,
    OriginalNetwork,
    kaldi_filters,
    mel_spectrogram,
)

CONFIG = ClassifierConfig(side=16, channels=4, vector=8, window_frames=10)


@pytest.fixture
def own() -> SmallClassifier:
    torch.manual_seed(0)
    return SmallClassifier(CONFIG).eval()


def test_every_frame_rate_has_a_sample_rate_near_16_khz() -> None:
    for fps in range(1, 241):
        config = ClassifierConfig(fps=fps, sample_rate_hz=sample_rate_for(fps))
        assert config.hop_samples * fps == config.sample_rate_hz
        assert abs(config.sample_rate_hz - 16_000) <= fps / 2
        assert config.front_end.high_hz == 7500.0 < config.sample_rate_hz / 2
    assert sample_rate_for(20) == sample_rate_for(25) == 16_000


@pytest.mark.parametrize("fps", [1, 7, 15, 24, 30, 60, 240])
def test_sound_of_every_rate_has_features_a_frame(fps: int) -> None:
    """A tone in the second half is heard from the frame on in which it begins."""
    config = ClassifierConfig(fps=fps, sample_rate_hz=sample_rate_for(fps), side=16, channels=4, vector=8)
    time_S = np.arange(4 * config.sample_rate_hz) / config.sample_rate_hz
    sound_S = np.where(time_S < 2.0, 0.0, 0.3 * np.sin(2 * np.pi * 1000 * time_S)).astype(np.float32)
    features_TF = SmallClassifier(config).sound_features(sound_S, 4 * fps)
    assert features_TF.shape == (4 * fps, 3 * 40)
    loudest_T = features_TF[:, :40].amax(dim=1)
    assert float(loudest_T[: 2 * fps].max()) < 0.1 < float(loudest_T[2 * fps + round(0.1 * fps) :].min())


def test_at_a_frame_a_second_there_is_still_something_to_tell_apart() -> None:
    counts = [stretches_of(ClassifierConfig(fps=fps, sample_rate_hz=16_000)) for fps in (1, 2, 4, 20)]
    assert counts == [3, 3, 5, 21]


def film_of(seconds: float) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    frames = random.integers(0, 255, (round(20 * seconds), 16, 16, 3)).astype(np.uint8)
    return frames, random.standard_normal(round(16_000 * seconds)).astype(np.float32)


def test_a_film_at_once_scores_as_its_segments_do(own: SmallClassifier) -> None:
    """Training compares segments, the suite whole films: both are one score, away from the ends."""
    frames, sound_S = film_of(3.0)
    grey = torch.from_numpy(frames.mean(axis=3, dtype=np.float32) / 255.0)
    features = own.sound_features(sound_S, len(frames))
    with torch.inference_mode():
        scores_KK = own.shifted_scores(grey[None], features[None])[0]
    encoded = own.encode(frames, sound_S)
    found = encoded.scores([0.0, 0.5, 2.0], [0.0, 1.0, 1.0])
    assert found == pytest.approx([float(scores_KK[at]) for at in ((0, 0), (10, 20), (40, 20))], abs=1e-5)


def test_saved_and_read_again_is_the_same(own: SmallClassifier, tmp_path: Path) -> None:
    path = tmp_path / "sync.safetensors"
    save_classifier(path, own, {"films": 1})
    again = load_classifier(path)
    assert (again.fps, again.side, again.window_s, again.offset_step_s) == (20, 16, 0.5, 0.05)
    frames, sound_S = film_of(1.0)
    assert again.encode(frames, sound_S).scores([0.0], [0.25]) == own.encode(frames, sound_S).scores([0.0], [0.25])


def altered(own: SmallClassifier, path: Path, change) -> Path:
    save_classifier(path, own, {})
    change(path)
    return path


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def other_tensors(path: Path) -> None:
    save_file({"weight": torch.zeros(3)}, path)


def other_config(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'\\"side\\": 16', b'\\"side\\": 17'))


def larger_config(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'\\"vector\\": 8', b'\\"vector\\": 9'))


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (cut, "is no file of a synchrony classifier"),
        (other_tensors, "holds no synchrony classifier"),
        (other_config, "side is 17"),
        (larger_config, "was expected"),
        (Path.unlink, "is no file of a synchrony classifier"),
    ],
)
def test_what_is_no_classifier_is_refused(change, part: str, own: SmallClassifier, tmp_path: Path) -> None:
    with pytest.raises(TrainingError) as refused:
        load_classifier(altered(own, tmp_path / "sync.safetensors", change))
    assert part in str(refused.value)


def test_a_film_of_a_lower_rate_is_refused(own: SmallClassifier, tmp_path: Path) -> None:
    film = read_film(moving_clip(tmp_path / "slow.mp4", fps=10), with_flow=False)
    with pytest.raises(TrainingError, match=r"has 10 frames a second .* trained at 20; .*--fps 10"):
        classify(own, film)


def test_a_film_without_room_for_offsets_has_a_score_alone(own: SmallClassifier, tmp_path: Path) -> None:
    film = classify(own, read_film(moving_clip(tmp_path / "short.mp4", seconds=1.2), with_flow=False))
    found = film.figures()
    assert found.stretches == len(film.starts_s) > 1
    assert found.score.value == pytest.approx(film.encoded.scores(film.starts_s, film.starts_s).mean())
    assert found.score.curve == ()
    assert np.isnan(found.accuracy)
    assert "has 1.2 s; the classifier needs 1.5 s for offsets of the sound" in found.notices[0]
    assert rel_sync(film, film).value == 0.5


def test_a_film_that_is_shorter_than_a_stretch_is_undefined(own: SmallClassifier, tmp_path: Path) -> None:
    film = classify(own, read_film(moving_clip(tmp_path / "short.mp4", seconds=0.4), with_flow=False))
    found = film.figures()
    assert np.isnan(found.score.value)
    assert np.isnan(rel_sync(film, film).value)
    assert "has 0.4 s; the classifier needs 0.5 s, so its figures are undefined" in found.notices[0]


def test_stretches_leave_room_for_every_offset() -> None:
    assert stretch_starts_s(2.59, 1.6, 20) == []
    assert stretch_starts_s(2.6, 1.6, 20) == [0.5]
    many = stretch_starts_s(3600.0, 1.6, 20)
    assert len(many) == 120
    assert many[0] == 0.5
    assert many[-1] <= 3600.0 - 2.1
    assert all(round(start * 20, 6).is_integer() for start in many)


def classified(own: SmallClassifier, seconds: float) -> FilmClassification:
    """Return the beginning of one film, whose stretches score clearly different."""
    with torch.no_grad():
        own.scale.fill_(30_000.0)
    frames, sound_S = film_of(12.0)
    frames, sound_S, nothing = frames[: round(20 * seconds)], sound_S[: round(16_000 * seconds)], np.zeros(0)
    film = Film(
        path=Path(f"{seconds:g}.mp4"),
        fps=20,
        frames=len(frames),
        sound_S=sound_S,
        onsets_s=nothing,
        motion_N=nothing,
        flow_N=nothing,
        notices=(),
    )
    return FilmClassification(own, film, own.encode(frames, sound_S))


def test_a_film_and_its_reference_are_compared_where_both_have_frames_and_sound(
    own: SmallClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With so few stretches, those of the long film lie after the end of the short one."""
    monkeypatch.setattr(classifier_figures, "MOST_STRETCHES", 16)
    long, short = classified(own, 12.0), classified(own, 6.0)
    for film, reference in ((long, short), (short, long)):
        found = rel_sync(film, reference)
        assert found.value == pytest.approx(0.5, abs=0.01)
        assert found.floor_deviation > 0.03
    assert length_notices(long.film, short.film) == [
        "12.mp4 has 12.0 s and its reference 6.mp4 6.0 s; RelSync compares the first 6.0 s."
    ]
    assert length_notices(long.film, long.film) == []


def test_the_floor_of_rel_sync_is_the_mean_of_the_same_comparison(own: SmallClassifier) -> None:
    film = classified(own, 6.0)
    means = []
    for frames_s, sound_s in exchanges(film.starts_s, own.window_s):
        away = film.encoded.scores(frames_s, sound_s) - film.encoded.scores(frames_s, frames_s)
        means.append((1.0 / (1.0 + np.exp(-away))).mean())
    found = rel_sync(film, film)
    assert (found.floor_mean, found.floor_deviation) == pytest.approx((np.mean(means), np.std(means)))


@pytest.mark.parametrize("seconds", [30.0, 90.0, 600.0])
def test_sound_of_other_moments_comes_from_the_entire_film(seconds: float) -> None:
    starts_s = stretch_starts_s(seconds, 1.6, 20)
    found = exchanges(starts_s, 1.6)
    assert len(found) == 40
    away = [np.abs(np.subtract(sound_s, frames_s)) for frames_s, sound_s in found]
    assert min(each.min() for each in away) > 1.59
    assert min(map(len, away)) >= len(starts_s) / 2
    assert max(np.median(each) for each in away) > 0.4 * seconds


def test_a_film_of_few_stretches_has_no_sound_of_other_moments() -> None:
    assert exchanges([], 1.6) == exchanges([0.5], 1.6) == exchanges(stretch_starts_s(5.0, 1.6, 20), 1.6) == []
    assert exchanges(stretch_starts_s(5.5, 1.6, 20), 1.6) != []


def test_the_originals_network_has_the_originals_size_and_names() -> None:
    network = OriginalNetwork()
    sizes = {part: sum(p.numel() for p in getattr(network, part).parameters()) for part in PARTS}
    assert [round(size / 1e6, 1) for size in sizes.values()] == [4.7, 15.4, 0.7]
    names = set(network.state_dict())
    assert {
        "audio_encoder.conv1.0.weight",
        "audio_encoder.block3.bn2.running_mean",
        "video_encoder.conv4x.0.res_conv.weight",
        "video_encoder.conv2x.1.tmp_conv2.weight",
        "head.fc.6.bias",
    } <= names
    assert not any("res_conv" in name for name in names if name.startswith("video_encoder.conv2x"))


def test_the_originals_folder_is_read(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = OriginalNetwork().eval()
    for part in PARTS:
        (tmp_path / part).mkdir()
        torch.save(getattr(network, part).state_dict(), tmp_path / part / "diffusion_pytorch_model.bin")
    loaded = load_classifier(tmp_path)
    assert isinstance(loaded, OriginalClassifier)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), loaded.network.parameters(), strict=True))
    (tmp_path / "head" / "diffusion_pytorch_model.bin").unlink()
    with pytest.raises(TrainingError, match="holds neither"):
        load_classifier(tmp_path)


def test_the_originals_spectrogram_has_its_shape_and_finds_a_tone() -> None:
    time_S = np.arange(32_000) / 16_000
    sound = mel_spectrogram(np.sin(2 * np.pi * 1000 * time_S).astype(np.float32))
    assert sound.shape == (1, 128, 204)
    mel = 1127 * np.log1p(1000 / 700)
    low, high = (1127 * np.log1p(hz / 700) for hz in (20, 8000))
    assert abs(int(sound[0, :, 50].argmax()) - ((mel - low) / (high - low) * 129 - 1)) <= 1
    # Columns after the end are zero before they are normalised.
    assert float(sound[0, 0, -1]) == pytest.approx(4.268 / 9.138)
    filters = kaldi_filters()
    assert filters.shape == (257, 128)
    assert float(filters.max()) <= 1.0


def test_the_original_encodes_each_stretch_once() -> None:
    classifier = OriginalClassifier("AVSync classifier")
    frames = np.zeros((40, 32, 32, 3), np.uint8)
    counted = list[int]()
    classifier.network.video_encoder.register_forward_hook(lambda *_: counted.append(1))
    encoded = classifier.encode(frames, np.zeros(16_000 * 7, np.float32))
    first = encoded.scores([0.5, 0.5, 1.0], [0.5, 0.54, 1.0])
    assert first.shape == (3,)
    assert encoded.scores([1.0, 0.5], [1.0, 0.5]) == pytest.approx(first[[2, 0]], abs=1e-6)
    assert len(counted) == 2
