"""The levels of the training sound in the card of a file from before: the graph stays as it is, to the bit."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from engine.core.errors import ModelFileError, TrainingError
from engine.model.content import read_content
from engine.model.file import graph_sha256, read_checked_card, sealed
from engine.model.known_models import is_ours
from export.targets.onnx.model import export_model
from export.training_sound import described, main
from tests.engine.audio.test_conditioning import known
from tests.engine.model.probe_model import CARD, write_probe
from tests.export.test_to_onnx import PROVENANCE
from tests.processes import write_sound
from tests.training.models import small_model


def test_only_the_card_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_probe(tmp_path / "model.onnx")
    write_sound(tmp_path / "song.wav", 3.0)
    before = graph_sha256(model.read_bytes())
    monkeypatch.setattr(sys, "argv", ["training_sound", str(model), str(tmp_path / "song.wav"), "-o", str(model)])
    assert main() == 0
    card = read_checked_card(model)
    assert card.training_sound is not None
    assert card.training_sound.sound == "none, 3 s"
    assert replace(card, training_sound=None) == CARD
    assert graph_sha256(model.read_bytes()) == before
    assert is_ours(read_content(model).sha256)
    assert "loud parts at" in capsys.readouterr().out


def test_a_card_that_says_it_already_is_left_as_it_is(tmp_path: Path) -> None:
    model, output = tmp_path / "model.onnx", tmp_path / "new.onnx"
    model.write_bytes(sealed(write_probe(model).read_bytes(), replace(CARD, training_sound=known(-10.0))))
    write_sound(tmp_path / "song.wav", 2.0)
    with pytest.raises(
        ModelFileError, match=r"already says what its training sound was like .*; play the file as it is"
    ):
        described(model, tmp_path / "song.wav", output)
    assert not output.exists()


def test_a_file_of_a_stranger_does_not_become_one_of_ours(tmp_path: Path) -> None:
    model = write_probe(tmp_path / "model.onnx")
    stranger, output = tmp_path / "stranger.onnx", tmp_path / "new.onnx"
    stranger.write_bytes(sealed(model.read_bytes(), replace(CARD, name="elsewhere")))
    write_sound(tmp_path / "song.wav", 2.0)
    described(stranger, tmp_path / "song.wav", output)
    assert not is_ours(read_content(output).sha256)


def test_a_sound_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    model = write_probe(tmp_path / "model.onnx")
    with pytest.raises(TrainingError, match="There is no sound file"):
        described(model, tmp_path / "missing.wav", tmp_path / "new.onnx")
    assert not (tmp_path / "new.onnx").exists()


def test_an_export_writes_what_the_checkpoint_says(tmp_path: Path) -> None:
    card = export_model(small_model(), PROVENANCE, tmp_path / "small.onnx", training_sound=known(-10.0))
    assert card.training_sound == read_checked_card(tmp_path / "small.onnx").training_sound == known(-10.0)
