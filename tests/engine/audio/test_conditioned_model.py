"""A model that gets conditioned sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.audio.conditioned_model import ConditionedModel
from engine.audio.conditioning import Conditioner
from engine.model.backends.onnx_cpu import open_model
from engine.model.session import Session
from tests.engine.audio.test_conditioning import known, tone
from tests.engine.model.probe_model import CARD, write_probe

HOP, WINDOW = CARD.hop_samples, CARD.sample_rate_hz
LOUD = np.concatenate([np.zeros(WINDOW, np.float32), tone(3.0, -3.0)])


def conditioned(model: Path) -> ConditionedModel:
    return ConditionedModel(Session(open_model(model, 1)), Conditioner(CARD.sample_rate_hz, HOP))


def levels(model: ConditionedModel, **values: float | int | bool) -> list[float]:
    """Return the model's own levels of the hops of a loud tone."""
    windows = [LOUD[(k + 1) * HOP : (k + 1) * HOP + WINDOW] for k in range(60)]
    return [float(model.step(window, values, k).features_F[0]) for k, window in enumerate(windows)]


def test_a_loud_tone_reaches_the_model_at_its_own_loudness(tmp_path: Path) -> None:
    path = write_probe(tmp_path / "model.onnx", training_sound=known())
    model = conditioned(path)
    on, off = levels(model, conditioning=True), levels(conditioned(path), conditioning=False)
    assert 20.0 * np.log10(on[-1] / off[-1]) == pytest.approx(-17.0, abs=1.5)
    assert model.conditioning() == "-17 dB for the model"


def test_the_gain_by_hand_counts_once(tmp_path: Path) -> None:
    path = write_probe(tmp_path / "model.onnx", training_sound=known())
    for is_on in (True, False):
        plain, quieter = (
            levels(conditioned(path), conditioning=is_on, gain_db=gain_db)[-1] for gain_db in (0.0, -6.0206)
        )
        assert quieter == pytest.approx(0.5 * plain, rel=1e-3)


def test_it_says_in_words_what_it_does(tmp_path: Path, probe_file: Path) -> None:
    unknown = conditioned(probe_file)
    levels(unknown, conditioning=True)
    assert unknown.conditioning() == "as it comes, the model names no loudness"
    path = write_probe(tmp_path / "model.onnx", training_sound=known(-30.0))
    limited, off = conditioned(path), conditioned(path)
    levels(limited, conditioning=True)
    levels(off, conditioning=False)
    assert "dB for the model," in limited.conditioning()
    assert limited.conditioning().endswith("dB limited")
    assert off.conditioning() == "as it comes"
