"""The gallery: a model's frames, film and figures are made by the engine, and the page says what cards and figures say."""

from __future__ import annotations

import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from benchmarks import gallery
from benchmarks.gallery import SWEPT_VALUES, loudest_s, make_entry
from benchmarks.gallery_film import MOST_BYTES, frames_at, write_small_film
from benchmarks.gallery_page import CONTROLS, FILM, GALLERY, PAGE, QUALITY, SHEET, Entry, gallery_page, shipped_entries
from benchmarks.gallery_sheets import LABEL_PX, SweptControl, controls_sheet, moments_sheet
from engine.core.errors import ConfigError, MediaError
from tests.engine.model.probe_model import CARD, HEIGHT, WIDTH
from tests.processes import write_sound
from training.core.frame_size import FrameSize
from training.data.scenes.make_scene import write_clip
from training.data.scenes.soundtrack import RATE_HZ


def grey(level: int, height: int = 32, width: int = 48) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def cell(sheet: np.ndarray, column: int, columns: int) -> np.ndarray:
    """Return the part of a sheet in which a column of frames is."""
    width = (sheet.shape[1] - LABEL_PX) // columns
    return sheet[:, LABEL_PX + column * width : LABEL_PX + (column + 1) * width]


def test_an_entry_has_sheets_film_and_figures(probe_file: Path, tmp_path: Path) -> None:
    sound = write_sound(tmp_path / "sound.wav", 2.5)
    clip = tmp_path / "clip.mp4"
    silent_T = np.zeros(2 * RATE_HZ, np.float32)
    write_clip(clip, iter([grey(90)] * 40), silent_T, FrameSize(32, 48))
    folder = tmp_path / "entry"
    figures = make_entry(probe_file, clip, sound, folder, steps=5)
    assert figures["file_bytes"] == probe_file.stat().st_size
    assert [one["threads"] for one in figures["steps"]] == [1, 2]
    assert all(0.0 < one["p50_ms"] <= one["p95_ms"] for one in figures["steps"])
    assert max(figures["sheet_s"]) < 2.0
    assert figures[QUALITY]["L1"] > 0.0
    with av.open(str(folder / FILM)) as film:
        assert (film.streams.video[0].height, film.streams.video[0].width) == (HEIGHT, WIDTH)
        assert len(film.streams.audio) == 1
    quiet = {**figures, "machine": {**figures["machine"], "cores": 2, "load_1min": 0.4}}
    page = gallery_page([Entry("probe", CARD, quiet)])
    assert f"| L1 | {figures[QUALITY]['L1']:.3g} |  |" in page
    assert f"| a step on 1 thread | {quiet['steps'][0]['p50_ms']:.1f} ms," in page
    busy = {**figures, "machine": {**figures["machine"], "cores": 2, "load_1min": 3.0}}
    assert "| a step | not measured on a quiet machine yet |" in gallery_page([Entry("probe", CARD, busy)])
    for name in (SHEET, FILM, CONTROLS):
        assert (folder / name).stat().st_size > 500
        assert f"pictures/gallery/probe/{name}" in page
    for control in CARD.controls:
        assert f"| `{control.name}` |" in page
    # `gain` begins with a dark frame and ends with a bright one.
    controls = np.asarray(Image.open(folder / CONTROLS)).astype(float)
    first, last = (cell(controls, column, SWEPT_VALUES)[20:60, 20:60].mean() for column in (0, SWEPT_VALUES - 1))
    assert last > first + 20


def test_moments_are_those_on_screen_and_the_last_one_after_the_end(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    write_clip(
        clip, iter([grey(10 * number) for number in range(20)]), np.zeros(RATE_HZ, np.float32), FrameSize(32, 48)
    )
    shown = [round(frame.mean()) for frame in frames_at(clip, [0.01, 0.12, 0.5, 0.97, 9.0])]
    assert shown == pytest.approx([0, 20, 100, 190, 190], abs=3)
    write_sound(tmp_path / "sound.wav", 0.2)
    with pytest.raises(MediaError):
        frames_at(tmp_path / "sound.wav", [0.0])


def test_a_film_of_noise_is_made_smaller_until_it_may_be_committed(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    frames = (random.integers(0, 256, (96, 160, 3)).astype(np.uint8) for _ in range(20))
    silent_T, small = np.zeros(RATE_HZ, np.float32), tmp_path / "small.mp4"
    write_clip(tmp_path / "noise.mp4", frames, silent_T, FrameSize(96, 160))
    write_small_film(tmp_path / "noise.mp4", silent_T, 20.0, small, most_bytes=80_000)
    assert 0 < small.stat().st_size <= 80_000
    assert (tmp_path / "noise.mp4").stat().st_size > 160_000
    with pytest.raises(MediaError, match="larger than 2,000 bytes"):
        write_small_film(tmp_path / "noise.mp4", silent_T, 20.0, small, most_bytes=2_000)


def test_the_sweep_is_taken_where_the_sound_is_loudest() -> None:
    sound_T = np.zeros(12 * RATE_HZ, np.float32)
    sound_T[4 * RATE_HZ : 4 * RATE_HZ + RATE_HZ // 5] = 0.5
    sound_T[11 * RATE_HZ :] = 0.9  # too far to be played to for every value
    assert loudest_s(sound_T, 12.0) == pytest.approx(4.2)
    assert loudest_s(sound_T[: RATE_HZ // 10], 0.1) > 0.0


def test_sheets_hold_every_frame_in_its_place() -> None:
    sheet = moments_sheet([("clip", [grey(60), grey(90)]), ("model", [grey(120), grey(150)])], [0.5, 1.5])
    levels = [cell(sheet, column, 2)[row, 100].mean() for row in (60, sheet.shape[0] - 120) for column in (0, 1)]
    assert levels == pytest.approx([60, 90, 120, 150], abs=2)
    swept = SweptControl("glow", 1.0, [0.0, 1.0], [grey(30), grey(200)])
    controls = controls_sheet([swept, swept])
    assert controls.shape[1] == sheet.shape[1]
    assert cv2.countNonZero((controls[:, :120].max(axis=2) > 150).astype(np.uint8)) > 50  # its name is written


def test_portraits_are_no_higher_than_the_page() -> None:
    sheet = moments_sheet([("model", [grey(120, 128, 72)] * 6)], [0.0] * 6)
    assert sheet.shape[0] < 400


def test_the_page_is_the_one_that_the_shipped_models_give() -> None:
    assert PAGE.read_text() == gallery_page(shipped_entries()), (
        "docs/gallery.md differs; write it again with: python -m benchmarks.gallery --page"
    )


@pytest.mark.parametrize("entry", shipped_entries(), ids=lambda entry: entry.name)
def test_every_shipped_model_has_sheets_of_its_own_file(entry: Entry) -> None:
    assert entry.figures is not None, f"python -m benchmarks.gallery {entry.name} --clip CLIP"
    place = GALLERY / entry.name
    assert (place / SHEET).exists()
    assert (place / FILM).stat().st_size <= MOST_BYTES
    assert (place / CONTROLS).exists() == bool(entry.card.controls)


def test_a_call_without_a_clip_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["gallery", "water"])
    with pytest.raises(ConfigError, match="A model and --clip were expected"):
        gallery.main()
