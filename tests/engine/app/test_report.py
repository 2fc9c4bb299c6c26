"""The lines on a film before it is made: they say what will be in the file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from engine.app.report import film_line, replay_lines
from engine.audio.sources.samples import SampleSource
from engine.model.backends.onnx_cpu import open_model
from engine.output.film import FilmFormat
from engine.takes.replay import Take
from engine.takes.take_log import TakeHeader, take_header
from tests.engine.model.probe_model import CARD

SIZE = f"{CARD.width}x{CARD.height}"


@pytest.mark.parametrize(
    ("length_s", "fps", "said"),
    [
        (2.0, None, f"about 40 frames of {SIZE} at 20 fps"),
        (2.0, 20, f"about 40 frames of {SIZE} at 20 fps"),
        (2.000001, None, f"about 40 frames of {SIZE} at 20 fps"),
        (2.01, None, f"about 41 frames of {SIZE} at 20 fps"),
        (2.01, 60, f"about 123 frames of {SIZE} at 60 fps"),
        (0.9, 1, f"about 1 frame of {SIZE} at 1 fps"),
        (None, 60, f"{SIZE} at 60 fps"),
    ],
)
def test_a_rendering_counts_the_hops_that_its_sound_begins(length_s: float | None, fps: int | None, said: str) -> None:
    film = FilmFormat(fps=Fraction(fps) if fps else None)
    assert film_line("song.mp4", CARD, film, length_s) == f"song.mp4, {said}"


@pytest.mark.parametrize(("fps", "frames"), [(None, "37 frames"), (60, "120 frames")])
def test_a_replay_has_no_frame_for_skipped_hops_unless_its_film_has_another_rate(
    probe_file: Path, header: TakeHeader, fps: int | None, frames: str
) -> None:
    take = Take(
        folder=Path("tonight"),
        header=header,
        model=str(probe_file),
        hops=40,
        skipped_hops=3,
        received_samples=40 * CARD.hop_samples,
        ending=None,
    )
    film = FilmFormat(fps=Fraction(fps) if fps else None)
    lines = replay_lines(take, open_model(probe_file, 1), "show.mp4", film)
    assert lines[2] == f"output   show.mp4, {frames} of {SIZE} at {fps or 20} fps"


@pytest.fixture
def header(probe_file: Path) -> TakeHeader:
    source = SampleSource("song", np.zeros((100, 1), np.float32), CARD.sample_rate_hz)
    return take_header(open_model(probe_file, 1), source, model=str(probe_file), date="today")
