"""A shipped model is found by its name, a file by its path, and another name is answered with the nearest one."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.app.command_line import ParsedCommand, parse_command
from engine.app.commands import list_gallery
from engine.app.config import DEFAULT_MODEL
from engine.core.errors import ModelFileError
from engine.model.shipped import model_path, shipped_models


def test_every_shipped_model_is_found_by_its_name() -> None:
    assert shipped_models()["veil"] == Path(DEFAULT_MODEL)
    for name, path in shipped_models().items():
        assert model_path(name) == str(path)


@pytest.mark.parametrize("given", ["runs/water/water.onnx", "water.onnx", "./water", "a" * 3000, "zero\0byte"])
def test_what_is_no_bare_name_is_a_path(given: str) -> None:
    assert model_path(given) == given


def test_a_file_comes_before_a_shipped_model_and_a_folder_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "water").mkdir()
    assert model_path("water") == str(shipped_models()["water"])
    (tmp_path / "water").rmdir()
    (tmp_path / "water").write_bytes(b"mine")
    assert model_path("water") == "water"


def test_another_name_is_answered_with_the_nearest_and_all_that_ship() -> None:
    with pytest.raises(ModelFileError, match=r"no model 'watr'. Did you mean 'water'. These ship: .*water.*watr.onnx"):
        model_path("watr")


def test_a_show_takes_the_name_from_a_flag_or_a_file(tmp_path: Path) -> None:
    config = tmp_path / "show.yaml"
    config.write_text("model: water")
    for arguments in (["--model", "water"], ["--config", str(config)]):
        command = parse_command(arguments)
        assert isinstance(command, ParsedCommand)
        assert command.resolved.config.model == model_path("water")


def test_the_gallery_lists_what_ships(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse_command(["--gallery"]) == "gallery"
    assert list_gallery() == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(shipped_models())
    assert "256 x 256    20 fps" in next(line for line in lines if line.startswith("water"))
