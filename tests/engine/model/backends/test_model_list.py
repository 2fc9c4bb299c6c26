"""The models that a show can change to, and why it cannot: real files, read by their cards alone."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from engine.control.parameter_table import parameters_for
from engine.core.choice import Choice
from engine.core.errors import ConfigError
from engine.model.backends import model_list
from engine.model.backends.model_list import MOST_LISTED, ModelList
from tests.engine.model.probe_model import CARD, write_probe
from tests.engine.model.switchers import WINDOW_SAMPLES, write_wide


@pytest.fixture
def folder(tmp_path: Path, probe_file: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    shutil.copy(probe_file, folder / "probe.onnx")
    write_wide(folder)
    return folder


def listed(models: ModelList, playing: Path, *others: str) -> dict[str, Choice]:
    return {choice.detail.split(", ")[-1]: choice for choice in models.choices(str(playing), others)}


def test_the_models_of_a_folder_are_listed_and_each_is_found_by_its_id(folder: Path) -> None:
    (folder / "notes.txt").write_text("no model")
    (folder / "folder.onnx").mkdir()
    models = ModelList([folder], CARD, WINDOW_SAMPLES, parameters_for)
    found = listed(models, folder / "probe.onnx")
    assert list(found) == ["probe.onnx", "wide.onnx"]
    assert (found["probe.onnx"].plays, found["wide.onnx"].plays) == (True, False)
    assert found["wide.onnx"].name == "wide"
    assert found["wide.onnx"].detail == "48 x 24, 20 fps, wide.onnx"
    assert models.path(found["wide.onnx"].id) == folder / "wide.onnx"
    for id in ("", str(folder / "wide.onnx"), "../wide.onnx"):
        with pytest.raises(ConfigError, match="no such model in the list"):
            models.path(id)


def test_each_model_that_does_not_fit_says_why(folder: Path) -> None:
    write_probe(folder / "slow.onnx", replace(CARD, hop_samples=2 * CARD.hop_samples))
    write_probe(folder / "long.onnx", replace(CARD, window_samples=2 * WINDOW_SAMPLES))
    (folder / "broken.onnx").write_bytes(b"no model at all")
    models = ModelList([folder], CARD, WINDOW_SAMPLES, parameters_for)
    found = listed(models, folder / "probe.onnx", str(folder / "absent.onnx"))
    problems = {name: choice.problem for name, choice in found.items() if choice.problem}
    assert set(problems) == {"slow.onnx", "long.onnx", "broken.onnx", "absent.onnx"}
    assert "takes a step every" in problems["slow.onnx"]
    assert "needs a window of" in problems["long.onnx"]
    assert "put it back" in problems["absent.onnx"]
    for name, problem in problems.items():
        with pytest.raises(ConfigError) as refused:
            models.path(found[name].id)
        assert str(refused.value) == problem


def test_a_model_is_listed_once_whatever_way_leads_to_it(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "link.onnx").symlink_to(folder / "wide.onnx")
    models = ModelList([folder, tmp_path / "more", folder, tmp_path / "absent"], CARD, WINDOW_SAMPLES)
    found = models.choices(str(folder / "probe.onnx"), [str(folder / ".." / "models" / "wide.onnx")])
    assert [choice.name for choice in found] == ["probe", "wide"]


def test_a_card_is_read_again_only_when_the_file_has_changed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def counting(path):
        read.append(Path(path).name)
        return read_card(path)

    read_card = model_list.read_card
    monkeypatch.setattr(model_list, "read_card", counting)
    models = ModelList([folder], CARD, WINDOW_SAMPLES)
    for _ in range(3):
        listed(models, folder / "probe.onnx")
    assert sorted(read) == ["probe.onnx", "wide.onnx"]
    os.utime(folder / "wide.onnx", ns=(1, 1))
    listed(models, folder / "probe.onnx")
    assert sorted(read) == ["probe.onnx", "wide.onnx", "wide.onnx"]


def test_a_folder_with_more_files_than_anybody_looks_at_is_cut_off(folder: Path) -> None:
    for number in range(MOST_LISTED + 50):
        (folder / f"x{number:03}.onnx").write_bytes(b"")
    found = ModelList([folder], CARD, WINDOW_SAMPLES).choices(str(folder / "probe.onnx"))
    assert len(found) <= MOST_LISTED
