"""The commands: tables with floor and ceiling, the file of figures, and wrong calls."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from engine.core.errors import UserError
from tests.training.clips import moving_clip
from training.evaluation.synchrony.classifier_files import load_classifier
from training.evaluation.synchrony.train_classifier import main as train_main
from training.synchrony import main


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("films")
    return [moving_clip(folder / f"{name}.mp4", seconds=6.0) for name in ("a", "b")]


@pytest.fixture(scope="module")
def classifier(films: list[Path]) -> Path:
    path = films[0].parent / "sync.safetensors"
    flags = ["--iterations", "2", "--side", "16", "--window", "0.5"]
    assert train_main([str(films[0]), "-o", str(path), *flags]) == 0
    return path


def test_every_table_has_a_floor_and_a_ceiling(
    films: list[Path], classifier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "synchrony.json"
    flags = ["--reference", str(films[0]), "--classifier", str(classifier), "--json", str(out), "--shifts", "5"]
    assert main([*map(str, films), *flags]) == 0
    said = capsys.readouterr().out
    head = said.splitlines()[0]
    for label in ("loudness-motion", "AV-Align paper", "AV-Align v2023", "AV-Align v2025", "AVSync score", "RelSync"):
        assert label in head
    assert [said.count(line) for line in ("\n  floor", "\nceiling a.mp4", "\nmean of 2")] == [3, 1, 1]
    assert "+0.00" in said
    found = json.loads(out.read_text())
    figures = found["films"][0]["figures"]
    assert figures["RelSync"]["value"] == pytest.approx(0.5)
    assert figures["loudness-motion"]["value"] > figures["loudness-motion"]["floor_mean"]
    assert figures["AV-Align v2025"]["offsets_s"] == pytest.approx([step / 20 for step in range(-10, 11)])
    assert len(found["films"][0]["classifier"]["preferred_in_time"]) == 21


def test_without_reference_and_classifier_it_says_what_is_missing(
    films: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(films[0]), "--shifts", "5"]) == 0
    said = capsys.readouterr().out
    assert "There is no ceiling: give the real film with --reference." in said
    assert "give a classifier with --classifier" in said
    assert "AVSync score " not in said.splitlines()[0]


def test_the_same_films_and_seed_give_the_same_classifier(films: list[Path], tmp_path: Path) -> None:
    flags = ["--iterations", "2", "--side", "16", "--window", "0.5"]
    files = [tmp_path / f"{number}.safetensors" for number in range(2)]
    for file in files:
        train_main([str(films[0]), "-o", str(file), *flags])
    first, again = map(load_file, files)
    assert all(torch.equal(first[name], again[name]) for name in first)


@pytest.mark.parametrize(
    ("call", "part"),
    [
        ("absent.mp4", "absent.mp4"),
        ("a.mp4 --fps 0", "--fps is 0"),
        ("a.mp4 --shifts 1", "--shifts is 1"),
        ("a.mp4 --similarity math:cos", "needs --classifier and --reference too"),
        ("a.mp4 a.mp4 a.mp4 --reference a.mp4 b.mp4", "--reference names 2 films for 3"),
        ("a.mp4 --classifier a.mp4", "is no file of a synchrony classifier"),
        ("empty", "holds no video file"),
        ("a.mp4 --refrence b.mp4", "--refrence"),
        (
            "a.mp4 --json absent/x.json",
            "Cannot write absent/x.json: there is no such folder; choose another place with --json",
        ),
        ("a.mp4 --json figures", "--json is figures; a file that ends in .json was expected, such as figures.json."),
        ("a.mp4 --json a.mp4", "--json is a.mp4, and would overwrite what is read from a.mp4; choose another place."),
        (
            "a.mp4 --reference b.mp4 --json link.json",
            "--json is link.json, and would overwrite what is read from b.mp4",
        ),
        ("a.mp4 --classifier mine.json --json ./mine.json", "would overwrite what is read from mine.json"),
    ],
)
def test_a_wrong_call_is_one_sentence(call: str, part: str, films: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(films[0].parent)
    Path("empty").mkdir(exist_ok=True)
    Path("mine.json").write_text("mine")
    if not Path("link.json").is_symlink():
        Path("link.json").symlink_to("b.mp4")
    before = Path("a.mp4").read_bytes(), Path("b.mp4").read_bytes()
    with pytest.raises(UserError) as refused:
        main(call.split())
    assert part in str(refused.value)
    assert (Path("a.mp4").read_bytes(), Path("b.mp4").read_bytes()) == before
    assert not Path("absent").exists()


@pytest.mark.parametrize(("fps", "rate_hz"), [(24, 16_008), (30, 15_990)])
def test_a_classifier_is_trained_for_rates_that_do_not_divide_16_khz(fps: int, rate_hz: int, tmp_path: Path) -> None:
    film, path, out = moving_clip(tmp_path / "film.mp4", 4.0, fps), tmp_path / "x.safetensors", tmp_path / "x.json"
    flags = ["--iterations", "2", "--side", "16", "--window", "0.5", "--fps", str(fps)]
    assert train_main([str(film), "-o", str(path), *flags]) == 0
    classifier = load_classifier(path)
    assert (classifier.fps, classifier.sample_rate_hz) == (fps, rate_hz)
    assert main([str(film), "--classifier", str(path), "--shifts", "5", "--json", str(out)]) == 0
    figures = json.loads(out.read_text())["films"][0]["figures"]
    assert len(figures["AVSync score"]["curve"]) == fps + 1
    assert figures["sync accuracy"]["value"] is not None


@pytest.mark.parametrize(
    ("call", "part"),
    [
        ("a.mp4 -o x.pth", "ends in .safetensors"),
        ("a.mp4 -o absent/x.safetensors", "there is no such folder"),
        ("a.mp4 -o x.safetensors --minutes 0", "--minutes is 0"),
        ("a.mp4 -o x.safetensors --iterations 0", "--iterations is 0"),
        ("a.mp4 -o x.safetensors --side 30", "side is 30"),
        ("a.mp4 -o x.safetensors --fps 0", "--fps is 0; 1 to 240 was expected"),
        ("a.mp4 -o x.safetensors --fps 241", "--fps is 241; 1 to 240 was expected"),
        ("a.mp4 -o x.safetensors --fps 40", "has 20 frames a second; at least 40"),
        ("a.mp4 -o x.safetensors --window nan", "--window is nan; more than 0 and at most 60 s"),
        ("a.mp4 -o x.safetensors --window inf", "--window is inf"),
        ("a.mp4 -o x.safetensors --window -1", "--window is -1"),
        ("a.mp4 -o x.safetensors --window 6", "a.mp4 has 6.0 s; at least 7.0 s"),
        ("a.mp4 -o x.safetensors --window 3", "No film is long enough: 5 films of 4.0 s or one of 8.0 s"),
    ],
)
def test_a_wrong_training_is_one_sentence(
    call: str, part: str, films: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(films[0].parent)
    with pytest.raises(UserError) as refused:
        train_main(call.split())
    assert part in str(refused.value)
    assert not Path("x.safetensors").exists()
