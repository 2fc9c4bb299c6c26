"""The command: every metric with floor and ceiling, what is missing, the file of figures, and wrong calls."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from engine.core.errors import UserError
from tests.training.evaluation.renders.rendered_clips import clips, write_labels
from training.evaluate_renders import main
from training.evaluation.metrics.mobilenet import MobileNetV2
from training.evaluation.renders.missing import missing
from training.evaluation.renders.text import shortened_notices
from training.evaluation.synchrony.classifier import ClassifierConfig, SmallClassifier
from training.evaluation.synchrony.classifier_files import save_classifier

FUNCTIONS = "tests.training.evaluation.renders.rendered_clips"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluation")
    clips(folder / "real", range(3))
    clips(folder / "rendered", range(3), grain=20.0)
    write_labels(folder / "labels.csv", ["clip0", "clip1", "clip2"])
    torch.manual_seed(0)
    config = ClassifierConfig(fps=6, sample_rate_hz=12_000, side=16, channels=4, vector=8, window_frames=12)
    save_classifier(folder / "sync.safetensors", SmallClassifier(config), {})
    torch.save(MobileNetV2().state_dict(), folder / "mine.pth")
    (folder / "class_mapping.json").write_text('{"digit_zero": "digit zero", "digit_one": "digit one"}')
    (folder / "broken.py").write_text("import os\nos.stat('absent.safetensors')\n")
    (folder / "empty").mkdir()
    return folder


def test_every_metric_of_both_papers_has_a_floor_and_a_ceiling(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    functions = {"clipsim": "like_text", "image-text": "like_text", "similarity": "like_sound"}
    functions["inception-score"] = "quadrants"
    flags = [word for flag, name in functions.items() for word in (f"--{flag}", f"{FUNCTIONS}:{name}")]
    call = (
        "rendered --reference real --labels labels.csv --weights mine.pth --classifier sync.safetensors --json out.json"
    )
    assert main([*call.split(), *flags]) == 0
    said = capsys.readouterr().out
    assert said.startswith("3 rendered clips, each beside its real one\n")
    measures = json.loads((folder / "out.json").read_text())["measures"]
    assert list(measures) == [
        "FD (MobileNetV2 mine.pth)",
        "FVD-like (MobileNetV2 mine.pth, pooled)",
        "IS (rendered_clips:quadrants)",
        "CLIPSIM (rendered_clips:like_text)",
        "IT (rendered_clips:like_text)",
        "IA (rendered_clips:like_sound)",
        "loudness-motion",
        "AV-Align paper",
        "AV-Align v2023",
        "AV-Align v2025",
        "AVSync score",
        "RelSync",
        "AlignSync",
    ]
    for name, measure in measures.items():
        assert f"\n{name} " in said
        ends = [measure[end] for end in ("value", "floor", "ceiling")]
        assert ends == [None] * 3 if name == "loudness-motion" else all(isinstance(end, float) for end in ends), name
    assert len(measures["RelSync"]["each"]) == 3
    assert [line.split(" is not")[0] for line in said.splitlines() if "is not measured" in line] == ["FID", "FVD"]
    assert "undefined  undefined  undefined" in said
    assert "The same of 2 other clips" in said


def test_without_networks_it_says_what_each_metric_needs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    assert main(["rendered/clip0.mp4", "--reference", "real/clip0.mp4"]) == 0
    said = capsys.readouterr().out
    assert said.count("is not measured: it tells") == 10
    assert (
        "FVD is not measured: it tells how far look and motion of entire clips are from real ones; it needs a TorchScript I3D"
        in said
    )
    assert "FD (MobileNetV2) is not measured" in said


def test_a_substitute_does_not_stand_for_the_metric() -> None:
    measured = [
        "FD (MobileNetV2 ImageNet)",
        "FVD-like (MobileNetV2 ImageNet, pooled)",
        "IS-like (MobileNetV2 ImageNet)",
    ]
    names = [line.split(" is not")[0] for line in missing(measured)]
    assert names[:3] == ["FID", "FVD", "IS"]
    assert "FD (MobileNetV2)" not in names
    assert "FVD" not in [line.split(" is not")[0] for line in missing(["FVD (i3d.pt)", "FID"])]


def test_notices_of_one_kind_are_told_once() -> None:
    notices = ["a.mp4 has 12 frames; short.", "b c.mp4 has 9 frames; short.", "b.mp4: its sound is silent."]
    assert shortened_notices(notices[::2]) == notices[::2]
    assert shortened_notices([notices[0], notices[0].replace("a.", "b.")]) == [
        "a.mp4 has 12 frames; short. (The same of 1 other clip; --json lists them.)"
    ]


@pytest.mark.parametrize(
    ("call", "part"),
    [
        ("rendered", "--reference"),
        ("absent.mp4 --reference real/clip0.mp4", "absent.mp4"),
        ("rendered --reference empty", "holds no video file"),
        ("rendered --reference real/clip0.mp4 real/clip1.mp4", "names 2 real clips for 3 rendered; one for each"),
        ("rendered --reference real/clip0.mp4 real/clip1.mp4", "There is none named clip2."),
        ("rendered --reference real --fps 0", "--fps is 0"),
        ("rendered --reference real --text a --labels labels.csv", "--labels and --text are both given"),
        ("rendered --reference real --text=", "--text is empty"),
        ("rendered --reference real --labels absent.csv", "Cannot read absent.csv"),
        (
            "rendered --reference real --text digit_zeroo --class-mapping class_mapping.json",
            "Did you mean 'digit_zero'?",
        ),
        ("rendered --reference real --labels labels.csv --class-mapping class_mapping.json", "'digit two' (line 3 of"),
        (f"rendered --reference real --clipsim {FUNCTIONS}:like_text", "--clipsim is for CLIPSIM, which needs labels"),
        (f"rendered --reference real --image-text {FUNCTIONS}:like_text", "--image-text is for IT, which needs labels"),
        ("rendered --reference real --inception-score no.such:f", "--inception-score no.such:f cannot be had"),
        (f"rendered --reference real --similarity {FUNCTIONS}:FPS", "is no function"),
        (f"rendered --reference real --inception-score {FUNCTIONS}:squares", "has no attribute 'squares'"),
        (
            "rendered --reference real --text a --clipsim math:cos",
            "CLIPSIM (math:cos) failed: TypeError: math.cos() takes",
        ),
        ("rendered --reference real --inception-score math:cos", "IS (math:cos) failed: TypeError"),
        ("rendered --reference real --inception-score broken:f", "cannot be had: FileNotFoundError: [Errno 2]"),
        ("rendered --reference real --inception-score broken:f", "(broken.py, line 2); mend the module"),
        ("rendered --reference real --classifier mine.pth", "holds no synchrony classifier"),
        ("rendered --reference real --weights absent.pth", "absent.pth does not exist"),
        ("rendered --reference real --json absent/out.json", "Cannot write absent/out.json"),
        (
            "rendered --reference real --text a --json real/clip0.mp4",
            "would overwrite what is read from real/clip0.mp4",
        ),
        ("rendered --reference real --lables labels.csv", "--lables"),
    ],
)
def test_a_wrong_call_is_one_sentence(call: str, part: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    with pytest.raises(UserError) as refused:
        main(call.split())
    assert part in str(refused.value)
