"""The gallery's figures beside the true scene: a model's own film is what it would show, and another one is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.frame_figures import FLICKER, L1, MOTION, WAY
from benchmarks.gallery_quality import measured_quality, quality_table
from benchmarks.gallery_rendering import ModelFilms
from engine.core.errors import ConfigError
from tests.processes import write_sound


def film_of(model: Path, sound: Path, film: Path, *flags: str) -> Path:
    films = ModelFilms(model)
    films.render(sound, film, flags)
    films.end()
    return film


def test_a_model_comes_nearer_to_its_own_film_than_to_a_duller_one(probe_file: Path, tmp_path: Path) -> None:
    sound = write_sound(tmp_path / "sound.wav", 3.0)
    own = measured_quality(probe_file, film_of(probe_file, sound, tmp_path / "own.mp4"))
    duller = measured_quality(probe_file, film_of(probe_file, sound, tmp_path / "duller.mp4", "--gain", "0.3"))
    assert own[L1] < 0.5 * duller[L1]
    assert own[MOTION] == pytest.approx(1.0, abs=0.25)
    assert duller[MOTION] > 1.5


def test_a_clip_that_is_too_short_is_refused(probe_file: Path, tmp_path: Path) -> None:
    film = film_of(probe_file, write_sound(tmp_path / "sound.wav", 0.3), tmp_path / "short.mp4")
    with pytest.raises(ConfigError, match="The part has"):
        measured_quality(probe_file, film)


def test_the_table_has_a_row_for_what_any_model_has_and_the_goal_beside_it() -> None:
    table = quality_table({"water": {L1: 0.0412, WAY: 0.9, FLICKER: 1.234}, "veil": {L1: 0.05, "PSNR dB": 30.0}})
    assert table.splitlines() == [
        "| | water | veil | goal |",
        "|---|---|---|---|",
        "| L1 | 0.0412 | 0.05 |  |",
        "| flicker | 1.23 | - | 1.3 at most |",
        "| way from floor to ceiling | 0.9 | - | 0.8 or more |",
    ]
