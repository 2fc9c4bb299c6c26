"""A tiny random model, exported and played by the real engine."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.core.errors import ModelFileError, TrainingError, run_main
from engine.model.backends.onnx_cpu import open_model
from engine.model.card import Provenance
from engine.model.noise import draw_noise
from engine.model.step import resting_inputs
from export import verify
from export.precision.half_storage import LEAST_ELEMENTS
from export.targets.onnx.model import Form, export_model
from export.to_onnx import argument_parser, form_of, main
from export.verification.graph import frame_bytes
from export.verification.parity import LEVELS_LIMIT, PARITY_STEPS, probe_sound, windows
from tests.training.models import VARIANTS, small_model
from tests.training.runs import small_config
from training.core.rate import at_rate
from training.core.streaming import StreamingModel
from training.families.rewriting import Rewrites
from training.loop.checkpoint import save_generator

PROVENANCE = Provenance(source="random weights", licence="MIT", config="small", commit="none", iterations=0)
TOLERANCE = 1e-4
"""Of values of about 1 in the small models of these tests."""


@pytest.mark.parametrize(
    "variant", ["full", "feedback", "basic", "skip", "prediction_everywhere", "canvas", "double_finest", "warp", "wide"]
)
def test_the_engine_plays_what_torch_plays(variant: str, tmp_path: Path) -> None:
    model = small_model(**VARIANTS[variant])
    card = export_model(model, PROVENANCE, tmp_path / "small.onnx")
    assert card.parity.steps == PARITY_STEPS
    assert max(card.parity.frame_max, card.parity.state_max) <= TOLERANCE
    backend = open_model(tmp_path / "small.onnx")
    assert backend.card == card
    assert [path.name for path in tmp_path.iterdir()] == ["small.onnx"]
    assert str(Path(__file__).parents[2]).encode() not in (tmp_path / "small.onnx").read_bytes()
    play_both(model, backend)


def play_both(model: StreamingModel, backend: object) -> None:
    """Carry both over 64 steps of sound; frames may differ by LEVELS_LIMIT where rounding tips over, states by TOLERANCE."""
    card = backend.card  # type: ignore[attr-defined]
    resting = resting_inputs(card)
    theirs, ours = backend.initial_state(), model.initial_state(1)  # type: ignore[attr-defined]
    sound = probe_sound(PARITY_STEPS * card.hop_samples, card.sample_rate_hz)
    for k, window in enumerate(windows(sound, card.window_samples, card.hop_samples, PARITY_STEPS)):
        noise = draw_noise(card.noises, 5, k)
        came = backend.step(resting.with_values({"audio": window, **noise}, theirs))  # type: ignore[attr-defined]
        with torch.no_grad():
            given = {name: torch.from_numpy(value)[None] for name, value in noise.items()}
            frame, features, ours = model.step(torch.from_numpy(window)[None], given, ours)
        theirs = came.next_state
        difference = came.pixels_HWC.astype(int) - frame_bytes(frame[0]).numpy()
        assert np.abs(difference).max() <= LEVELS_LIMIT
        np.testing.assert_allclose(came.features_F, features[0].numpy(), atol=TOLERANCE)
    for name, value in theirs.items():
        np.testing.assert_allclose(value, ours[name][0].numpy(), atol=TOLERANCE)


def test_a_model_that_looks_at_later_frames_is_refused_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = small_model(convolution="3d", prediction="none")
    save_generator(tmp_path / "checkpoint", model, small_config(model=model.config), iterations=1)
    target = tmp_path / "small.onnx"
    monkeypatch.setattr(sys, "argv", ["to_onnx", str(tmp_path / "checkpoint"), "-o", str(target)])
    with pytest.raises(SystemExit) as left:
        run_main(main)
    assert left.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "plays whole sequences, not steps: it has convolution '3d', which looks at later frames" in line
    assert not target.exists()


def test_a_film_is_not_overwritten_by_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    film = tmp_path / "clip.mp4"
    film.write_bytes(b"a film")
    monkeypatch.setattr(sys, "argv", ["to_onnx", str(tmp_path / "checkpoint"), "-o", str(film)])
    with pytest.raises(SystemExit) as left:
        run_main(main)
    assert left.value.code == 2
    assert capsys.readouterr().err.strip().endswith("clip.mp4; a file that ends in .onnx was expected.")
    assert film.read_bytes() == b"a film"


def test_half_storage_is_smaller_and_plays_the_rounded_model(tmp_path: Path) -> None:
    model = small_model(image_size=32, channels_base=128)
    export_model(model, PROVENANCE, tmp_path / "whole.onnx")
    card = export_model(model, PROVENANCE, tmp_path / "half.onnx", Form(half=True))
    assert max(card.parity.frame_max, card.parity.state_max) <= TOLERANCE
    sizes = {path.stem: path.stat().st_size for path in tmp_path.iterdir()}
    large = sum(p.numel() for p in model.parameters() if p.numel() >= LEAST_ELEMENTS)
    assert sizes["whole"] - sizes["half"] > 0.95 * 2 * large
    play_both(model, open_model(tmp_path / "half.onnx"))


@pytest.mark.parametrize(
    ("given", "batch", "notice"),
    [([], 1, ""), (["--batch", "3"], 3, ""), (["--rooms", "3"], 3, "--rooms is now called --batch")],
)
def test_the_batch_has_an_old_name(
    given: list[str], batch: int, notice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = argument_parser().parse_args(["checkpoint", "-o", "model.onnx", *given])
    assert form_of(arguments, Rewrites()).batch == batch
    assert capsys.readouterr().err.startswith(notice)
    assert "--rooms" not in argument_parser().format_help()


@pytest.mark.parametrize(("backend", "kept"), [("any", False), ("onnx-cpu", False), ("openvino", True)])
def test_only_a_file_for_openvino_keeps_grid_sample(backend: str, kept: bool) -> None:
    arguments = argument_parser().parse_args(["checkpoint", "-o", "model.onnx", "--for", backend])
    rewrites = Rewrites(defaults={"onnx-cpu": (), "openvino": ()})
    assert form_of(arguments, rewrites).grid_sample == kept


def test_a_file_at_another_rate_is_played_and_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = small_model(**VARIANTS["resonators"])
    save_generator(tmp_path / "checkpoint", model, small_config(model=model.config), iterations=1)
    target, checkpoint = tmp_path / "small.onnx", str(tmp_path / "checkpoint")
    monkeypatch.setattr(sys, "argv", ["to_onnx", checkpoint, "-o", str(target), "--fps", "50", "--for", "onnx-cpu"])
    assert main() == 0
    said = capsys.readouterr().out
    assert "16x16 at 50 fps" in said
    assert "rate 50 a second, trained at 20: from frame to frame" in said
    backend = open_model(target)
    assert (backend.card.fps, backend.card.trained_fps) == (50.0, 20.0)
    play_both(at_rate(model, 50), backend)
    monkeypatch.setattr(sys, "argv", ["verify", checkpoint, str(target), "--backend", "onnx-cpu", "--steps", "9"])
    assert verify.main() == 0
    monkeypatch.setattr(sys, "argv", ["to_onnx", checkpoint, "-o", str(target), "--fps", "10"])
    with pytest.raises(TrainingError, match=r"trained at 20 steps a second and cannot play at 10"):
        main()


@pytest.mark.parametrize("fps", [60, 100])
def test_a_batch_plays_at_another_rate_too(tmp_path: Path, fps: int) -> None:
    card = export_model(small_model(), PROVENANCE, tmp_path / "small.onnx", Form(fps=fps, batch=2))
    assert card.hop_samples == round(16000 / fps)
    assert max(card.parity.frame_max, card.parity.state_max) <= TOLERANCE


@pytest.mark.parametrize("batch", ["0", "65"])
def test_a_batch_out_of_range_is_refused(batch: str) -> None:
    arguments = argument_parser().parse_args(["checkpoint", "-o", "model.onnx", "--batch", batch])
    with pytest.raises(ModelFileError, match=f"--batch is {batch}; a whole number from 1 to 64"):
        form_of(arguments, Rewrites())


def test_unwritable_place_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="Cannot write"):
        export_model(small_model(), PROVENANCE, tmp_path / "absent" / "small.onnx")


def test_probe_sound_is_in_range_and_has_silence() -> None:
    sound = probe_sound(32000, 16000)
    assert 0.5 < np.abs(sound).max() <= 1.0
    assert np.abs(sound[int(1.35 * 16000) : int(1.55 * 16000)]).max() == 0
