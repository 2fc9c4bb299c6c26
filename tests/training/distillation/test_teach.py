"""From a photograph and songs to a model file that the engine opens, with a tiny teacher."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.core.errors import TrainingError
from engine.model.backends.onnx_cpu import open_model
from tests.training.distillation.given import words
from training.distillation.command import TEACHER_NETWORK
from training.loop.checkpoint import load_generator
from training.teach import main

LAYERED = {
    "threads": "1",
    "sequence_frames": "4",
    **{
        f"model.generator.{name}": "4"
        for name in ("resonators", "modes", "flow_side", "residual_rank", "weight_side", "hidden")
    },
}


def teach(given: Path, place: Path, iterations: int, *more: str) -> int:
    settings = {**LAYERED, "total_iterations": str(iterations)}
    flags = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    return main(words(given, place, "--family", "modal", *flags, *more))


def test_a_photograph_and_songs_become_a_model_file(
    given: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    # With features of the teacher's autoencoder in the loss.
    assert teach(given, tmp_path, 2, "--feature-network") == 0
    printed = capfd.readouterr().out.splitlines()
    model_file = tmp_path / "run" / "photo.onnx"
    labels = [line.split("  ")[0] for line in printed]
    places = [labels.index(label) for label in ("teacher", "memory", "render", "rendered", "clip", "run")]
    assert places == sorted(places)
    assert labels[-5:] == ["quality", "trained", "watch", "go on", "play it"]
    assert printed[-1] == f"play it   python run_live.py --model {model_file}"
    losses = load_generator(tmp_path / "run").config.losses
    assert (losses.features, losses.feature_network) == (1.0, TEACHER_NETWORK)
    card = open_model(model_file, threads=1).card
    assert (card.name, card.family, card.width, card.height) == ("photo", "modal", 64, 32)
    # The same command goes on with the same clip; another request is another run.
    assert teach(given, tmp_path, 3) == 0
    printed = capfd.readouterr().out.splitlines()
    assert f"rendered  {tmp_path / 'run' / 'photo.mp4'}, as in the run so far" in printed
    assert load_generator(tmp_path / "run").iterations == 3
    with pytest.raises(
        TrainingError, match="already holds a run on a clip of other sounds, settings or weights; choose"
    ):
        teach(given, tmp_path, 3, "--seed", "1")
