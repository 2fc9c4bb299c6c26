"""Fréchet distances of clips: which frames count, floor and ceiling, and networks that do not fit."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from engine.core.errors import TrainingError
from training.evaluation.frame_metrics import Features, FrameMetrics
from training.evaluation.metrics.extractors import Extractors, FrameExtractor, load_extractors
from training.evaluation.metrics.frechet import frechet_distance
from training.evaluation.metrics.mobilenet import MobileNetV2, class_layer
from training.evaluation.metrics.weight_files import recognise
from training.evaluation.renders.class_scores import ClassScores, probabilities
from training.evaluation.renders.distances import Distances

CPU = torch.device("cpu")


class Colours(nn.Module):
    """The mean of each colour."""

    def forward(self, frames_N3HW: Tensor) -> Tensor:
        return frames_N3HW.mean(dim=(2, 3))


COLOURS = Extractors(frames=(FrameExtractor("colours", Colours()),))


def frames(seed: int, count: int = 12, brightness: float = 128.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    levels = brightness + 20.0 * random.standard_normal((count, 1, 1, 3))
    return np.broadcast_to(levels, (count, 8, 8, 3)).clip(0, 255).astype(np.uint8)


def extracted(*clips: np.ndarray, extractors: Extractors = COLOURS) -> list[Features]:
    return [FrameMetrics(extractors, CPU, lambda _: None).extract(clip) for clip in clips]


def measured(rendered: list[np.ndarray], real: list[np.ndarray], extractors: Extractors = COLOURS):
    distances = Distances(extractors, CPU)
    for both in zip(rendered, real, strict=True):
        distances.add(*extracted(*both, extractors=extractors))
    return {measure.name: measure for measure in distances.measures()}


def test_frames_are_compared_without_the_first_one() -> None:
    rendered, real = [frames(0), frames(1)], [frames(2), frames(3)]
    found = measured(rendered, real)["FD (colours)"]
    left, right = (
        torch.cat([Colours()(torch.from_numpy(c[1:]).permute(0, 3, 1, 2) / 255.0) for c in side])
        for side in (rendered, real)
    )
    assert found.value == pytest.approx(frechet_distance(left, right))
    assert (found.better, found.clips) == ("lower", 2)
    for clip in rendered:
        clip.setflags(write=True)
    changed = [np.concatenate([clip[:1] * 0, clip[1:]]) for clip in rendered]
    assert measured(changed, real)["FD (colours)"].value == found.value


def test_the_clips_themselves_have_no_distance_and_stand_between_still_and_late() -> None:
    real = [frames(2), frames(3)]
    found = measured(real, real)
    for name in ("FD (colours)", "FVD-like (colours, pooled)"):
        assert found[name].value == pytest.approx(0.0, abs=1e-9)
        assert found[name].floor > found[name].ceiling > 0.0


def test_clips_too_short_for_snippets_have_no_fvd_like() -> None:
    assert list(measured([frames(0, 7)], [frames(1, 7)])) == ["FD (colours)"]


class Video(nn.Module):
    """Stands for an I3D: three numbers a clip."""

    def forward(self, x: Tensor, rescale: bool = False, resize: bool = False, return_features: bool = True):
        assert x.shape[2] == 12
        assert x.shape[3] == 224
        return x.mean(dim=(2, 3, 4))


class Flat(nn.Module):
    def forward(self, x: Tensor, rescale: bool = False, resize: bool = False, return_features: bool = True):
        return x.mean()


class Many(nn.Module):
    def forward(self, x: Tensor, rescale: bool = False, resize: bool = False, return_features: bool = True):
        return x.mean(dim=(0, 3, 4)).transpose(0, 1)


def scripted(module: nn.Module, path: Path) -> Extractors:
    torch.jit.script(module).save(str(path))
    return load_extractors([path], recognise(path).sha256)


def test_fvd_has_one_sample_a_clip_and_is_undefined_for_one_clip(tmp_path: Path) -> None:
    video = scripted(Video(), tmp_path / "video.pt")
    real = [frames(seed) for seed in range(3)]
    dark = [frames(seed, brightness=60.0) for seed in range(3)]
    found = measured(dark, real, video)["video FD (video.pt, unknown network)"]
    left, right = (
        torch.stack([torch.from_numpy(c / 127.5 - 1.0).mean(dim=(0, 1, 2)) for c in side]) for side in (dark, real)
    )
    assert found.value == pytest.approx(frechet_distance(left, right), rel=1e-3)
    alone = measured(dark[:1], real[:1], video)["video FD (video.pt, unknown network)"]
    assert math.isnan(alone.value)
    assert math.isnan(alone.floor)


@pytest.mark.parametrize(
    ("network", "sentence"),
    [
        (Flat(), r"returned \[\] for \[1, 3, 12, 224, 224\]; features of each clip"),
        (Many(), r"returned features of shape \[12, 3\] for one clip; one row was expected"),
    ],
)
def test_a_video_network_that_answers_wrongly_is_one_sentence(
    network: nn.Module, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=sentence):
        measured([frames(0)], [frames(1)], scripted(network, tmp_path / "video.pt"))


def test_classes_of_a_weight_file_give_a_score_under_its_own_name(tmp_path: Path) -> None:
    torch.manual_seed(0)
    weights = MobileNetV2().state_dict() | {
        "classifier.1.weight": torch.randn(5, 1280),
        "classifier.1.bias": torch.zeros(5),
    }
    torch.save(weights, tmp_path / "mine.pth")
    extractors = load_extractors([tmp_path / "mine.pth"])
    scores = ClassScores(extractors)
    scores.add(*extracted(frames(0), frames(1), extractors=extractors))
    (found,) = scores.measures()
    assert found.name == "IS-like (MobileNetV2 mine.pth)"
    assert 1.0 <= found.value <= 5.0
    assert found.floor == 1.0
    assert class_layer({"classifier.1.weight": torch.zeros(5, 7), "classifier.1.bias": torch.zeros(5)}) is None


def test_the_score_of_a_function_counts_clips_or_frames_as_samples() -> None:
    """Two clips, each surely of its own class: 2; the real ones all of one class: 1."""
    scores = ClassScores(Extractors(), lambda clip: np.eye(3)[int(clip[0, 0, 0, 0]) // 100], "c3d:ucf101")
    for level in (0, 120):
        clip, dark = (np.full((12, 8, 8, 3), value, np.uint8) for value in (level, 5))
        scores.add(*extracted(clip, dark))
    (found,) = scores.measures()
    assert (found.name, found.value, found.ceiling, found.clips) == ("IS (c3d:ucf101)", pytest.approx(2.0), 1.0, 2)


@pytest.mark.parametrize(
    ("returned", "sentence"),
    [
        (np.zeros((2, 3, 4)), r"shape \[2, 3, 4\] for a clip; probabilities of classes were expected"),
        (1.0, r"shape \[1, 1\] for a clip"),
        ([2.0, 3.0], "from 2 to 3 that add up to 5; .* apply a softmax"),
        ([-0.5, 1.5], "from -0.5 to 1.5"),
        ([np.nan, 1.0], "apply a softmax"),
        (np.zeros((0, 4)), r"shape \[0, 4\]"),
    ],
)
def test_what_are_no_probabilities_is_refused(returned: object, sentence: str) -> None:
    with pytest.raises(TrainingError, match=sentence):
        probabilities("IS (f)", returned)


def test_always_as_many_classes_are_expected() -> None:
    scores = ClassScores(Extractors(), lambda clip: np.full(len(clip), 1.0 / len(clip)), "f")
    scores.add(*extracted(frames(0), frames(1)))
    with pytest.raises(TrainingError, match=r"IS \(f\) returned 8 classes after 12"):
        scores.add(*extracted(frames(0, 8), frames(1, 8)))
