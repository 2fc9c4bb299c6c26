"""The probe is a model file like any other, and white exactly while a click is in the newest hop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.core.errors import ModelFileError
from engine.model.backends.selection import open_backend
from engine.model.file import read_checked_card
from engine.model.session import Session
from export.probe import probe_card, write_probe_file


@pytest.mark.parametrize(
    ("fps", "rate_hz"), [(20, 16000), (25, 16000), (30, 24000), (50, 16000), (60, 24000), (24, 24000)]
)
def test_every_usual_rate_is_met_exactly(fps: float, rate_hz: int) -> None:
    card = probe_card(fps, 16)
    assert (card.fps, card.sample_rate_hz) == (fps, rate_hz)
    assert card.window_samples >= card.hop_samples


@pytest.mark.parametrize("fps", [20, 60])
def test_a_click_is_white_in_the_hop_that_holds_it_and_in_no_other(tmp_path: Path, fps: float) -> None:
    card = write_probe_file(tmp_path / "probe.onnx", fps, 8)
    assert read_checked_card(tmp_path / "probe.onnx") == card
    session = Session(open_backend(str(tmp_path / "probe.onnx"), "onnx-cpu"))
    for place, level in ((-1, 255), (-card.hop_samples, 255), (-card.hop_samples - 1, 0)):
        window_T = np.zeros(card.window_samples, np.float32)
        window_T[place] = -0.9
        frame = session.step(window_T, {}, 0)
        assert frame.pixels_HWC.shape == (8, 8, 3)
        assert (frame.pixels_HWC == level).all(), place
        assert frame.features_F == pytest.approx([0.9 if level else 0.0])


def test_without_gain_the_frame_is_an_even_grey(tmp_path: Path) -> None:
    card = write_probe_file(tmp_path / "probe.onnx", 20, 4)
    session = Session(open_backend(str(tmp_path / "probe.onnx"), "onnx-cpu"))
    frame = session.step(np.ones(card.window_samples, np.float32), {"gain": 0.0, "floor": 0.25}, 0)
    assert (frame.pixels_HWC == 64).all()


def test_it_may_listen_to_less_than_a_hop(tmp_path: Path) -> None:
    card = write_probe_file(tmp_path / "probe.onnx", 20, 4, listen_ms=5.0)
    session = Session(open_backend(str(tmp_path / "probe.onnx"), "onnx-cpu"))
    window_T = np.zeros(card.window_samples, np.float32)
    window_T[-81] = 1.0
    assert not session.step(window_T, {}, 0).pixels_HWC.any()


@pytest.mark.parametrize(
    ("fps", "size", "listen_ms", "says"),
    [(0, 8, None, "0 fps"), (float("nan"), 8, None, "fps"), (20, 0, None, "0 pixels"), (20, 8, 0.0, "0 ms"), (20, 8, 500.0, "85 ms"), (20, 8, float("nan"), "nan ms")],
)  # fmt: skip
def test_what_cannot_be_made_is_refused(fps: float, size: int, listen_ms: float | None, says: str) -> None:
    with pytest.raises(ModelFileError, match=says):
        probe_card(fps, size, listen_ms)


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="Cannot write"):
        write_probe_file(tmp_path / "nowhere" / "probe.onnx", 20, 8)
