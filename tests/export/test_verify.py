"""The command that compares a model file with its checkpoint."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from engine.core.errors import run_main
from engine.model.backends.selection import obstacle
from engine.model.control_effect import ControlEffect
from engine.model.file import read_card, read_model, sealed
from export import verify
from export.precision.half import to_half
from export.targets.onnx.model import Form, export_model
from export.verification.verdict import LEAST_PSNR_DB, Verdict
from tests.export.precise import WIDE, sound_file
from tests.training.models import small_model
from tests.training.runs import small_config
from training.loop.checkpoint import load_generator, save_generator


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a checkpoint, the model file made of it, and one with its weights in 16 bits."""
    folder = tmp_path_factory.mktemp("made")
    model = small_model(**WIDE)
    save_generator(folder / "checkpoint", model, small_config(model=model.config), iterations=3)
    loaded = load_generator(folder / "checkpoint")
    export_model(loaded.model, loaded.provenance, folder / "model.onnx")
    return folder


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> object:
    monkeypatch.setattr(sys, "argv", ["verify", *map(str, words)])
    with pytest.raises(SystemExit) as left:
        run_main(verify.main)
    return left.value.code


def test_a_faithful_file_is_reported_and_drawn(
    made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sound = sound_file(made, 1.0)
    words = (made / "checkpoint", made / "model.onnx", "--steps", 12, "--sound", sound, "--backend", "onnx-cpu")
    assert run(monkeypatch, *words) == 0
    assert "onnx-cpu" in capsys.readouterr().out
    report = json.loads((made / "model.onnx.verify.json").read_text())
    assert report["worst_psnr_db"] >= 60
    assert report["sound"] == "sound.wav"
    assert {"frame", "features", "motion_0"} <= set(report["largest_difference"])
    assert [drift["step"] for drift in report["drift"]][-1] == 12
    assert (made / "model.onnx.verify.png").read_bytes().startswith(b"\x89PNG")


def test_a_file_whose_controls_are_fixed_is_played_with_their_defaults(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded, path = load_generator(made / "checkpoint"), tmp_path / "fixed.onnx"
    export_model(loaded.model, loaded.provenance, path, Form(all_controls=True))
    card, content = read_model(path)
    assert card.controls
    effects = tuple(ControlEffect(name=one.name, levels=0.0, least_levels=16.0) for one in card.controls)
    path.write_bytes(
        sealed(content.data, replace(card, controls=(), fixed_controls=card.controls, control_effects=effects))
    )
    assert run(monkeypatch, made / "checkpoint", path, "--steps", 3, "--backend", "onnx-cpu") == 0


def refused(capsys: pytest.CaptureFixture[str]) -> str:
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_a_checkpoint_of_another_training_is_refused(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = small_model(**WIDE)
    save_generator(tmp_path / "later", model, small_config(model=model.config), iterations=4)
    assert run(monkeypatch, tmp_path / "later", made / "model.onnx") == 2
    assert "was not made from" in refused(capsys)


def test_a_file_that_plays_something_else_is_refused(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = onnx.ModelProto.FromString((made / "model.onnx").read_bytes())
    for constant in program.graph.initializer:
        if constant.name.endswith("to_rgb.0.weight"):
            constant.CopyFrom(numpy_helper.from_array(1.5 * numpy_helper.to_array(constant), constant.name))
    (tmp_path / "other.onnx").write_bytes(sealed(program.SerializeToString(), read_card(made / "model.onnx")))
    assert run(monkeypatch, made / "checkpoint", tmp_path / "other.onnx", "--steps", 4, "--backend", "onnx-cpu") == 2
    assert "differs too much from its checkpoint" in refused(capsys)
    assert json.loads((tmp_path / "other.onnx.verify.json").read_text())["worst_psnr_db"] < 60


@pytest.mark.parametrize(("precision", "backend"), [("float16", "onnx-cpu"), ("bfloat16", "openvino")])
def test_a_file_in_fewer_bits_is_measured_by_its_own_limit(
    precision: str, backend: str, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if obstacle(backend):
        pytest.skip(f"{backend} cannot run here")
    program = onnx.ModelProto.FromString((made / "model.onnx").read_bytes())
    if precision == "float16":
        program = to_half(program)
    card = replace(read_card(made / "model.onnx"), precision=precision)
    path = tmp_path / "fewer.onnx"
    path.write_bytes(sealed(program.SerializeToString(), card))
    assert run(monkeypatch, made / "checkpoint", path, "--steps", 8, "--backend", backend) == 0
    report = json.loads((tmp_path / "fewer.onnx.verify.json").read_text())
    assert report["precision"] == precision
    assert LEAST_PSNR_DB[precision] <= report["worst_psnr_db"] <= 100
    assert backend in report["backend"]


def test_bad_input_is_one_sentence(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint, model = made / "checkpoint", made / "model.onnx"
    assert run(monkeypatch, checkpoint, tmp_path / "absent.onnx") == 2
    assert "There is no model file" in refused(capsys)
    assert run(monkeypatch, tmp_path / "absent", model) == 2
    assert "absent" in refused(capsys)
    assert run(monkeypatch, checkpoint, model, "--sound", tmp_path / "absent.wav", "--backend", "onnx-cpu") == 2
    assert "There is no sound file" in refused(capsys)


def test_values_that_are_not_finite_fail_whatever_the_frame() -> None:
    verdict = Verdict("int8", (), {"frame": 0.0, "motion_0": float("inf")})
    with pytest.raises(ValueError, match="not finite in motion_0"):
        verdict.check(Path("model.onnx"))
    assert np.isfinite(list(LEAST_PSNR_DB.values())).all()
