"""Pieces drawn from folders: alike on every system, from every file, and without what cannot be used."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engine.core.errors import TrainingError
from engine.media.cleaning import cleaned
from tests.training.clips import RATE_HZ, noise, write_wav
from training.data.video import ClipFormat
from training.evaluation.pieces import Piece, PieceOptions, choose_pieces, find_files

FORMAT = ClipFormat(fps=20, image_size=16, sample_rate_hz=RATE_HZ)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder like FSD50K: many short files in sub-folders, beside tables."""
    for number in range(8):
        place = tmp_path / "sounds" / ("FSD50K.dev_audio" if number % 2 else "FSD50K.eval_audio")
        place.mkdir(parents=True, exist_ok=True)
        write_wav(place / f"{number}.wav", noise(1.0 + number, seed=number)[0])
    write_wav(tmp_path / "sounds" / "FSD50K.dev_audio" / "short.wav", noise(0.5)[0])
    write_wav(tmp_path / "sounds" / ".hidden.wav", noise(3.0)[0])
    (tmp_path / "sounds" / ".git").mkdir()
    write_wav(tmp_path / "sounds" / ".git" / "object.wav", noise(3.0)[0])
    (tmp_path / "sounds" / "FSD50K.ground_truth").mkdir()
    (tmp_path / "sounds" / "FSD50K.ground_truth" / "dev.csv").write_text("fname,labels\n")
    return tmp_path / "sounds"


def chosen(folder: Path, pieces: int | None = None, **options: float | int) -> tuple[Piece, ...]:
    return choose_pieces(PieceOptions(folder=folder, pieces=pieces, **options), FORMAT).pieces  # type: ignore[arg-type]


def test_the_seed_decides_and_not_the_order_of_the_file_system(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = chosen(folder, 6)
    walk = os.walk

    def backwards(top: Path) -> Iterator[tuple[str, list[str], list[str]]]:
        for place, folders, names in walk(top):
            folders.sort(reverse=True)
            yield place, folders, sorted(names, reverse=True)

    monkeypatch.setattr(os, "walk", backwards)
    assert chosen(folder, 6) == before
    assert [piece.file for piece in chosen(folder, 6, seed=21)] != [piece.file for piece in before]


def test_each_usable_file_gives_a_piece_before_any_gives_two(folder: Path) -> None:
    found = chosen(folder, 20)
    times = Counter(piece.file for piece in found)
    usable = {f"FSD50K.{'dev' if n % 2 else 'eval'}_audio/{n}.wav" for n in range(8)}
    assert (set(times), set(times.values())) == (usable, {2, 3})
    assert {piece.file for piece in found[:8]} == usable
    assert len({(piece.file, piece.start_s) for piece in found if not piece.file.endswith("/0.wav")}) > 12
    assert len(find_files(folder)) == 10
    assert len(chosen(folder)) == 10


def test_pieces_have_the_length_asked_for_and_end_with_their_file(folder: Path) -> None:
    for piece in chosen(folder, 30, shortest_s=1.0, longest_s=2.0):
        assert 20 <= piece.frames <= 40
        length_s = 1.0 + int(piece.file[-5])
        assert piece.start_s + piece.frames / 20 <= length_s + 0.025
        sound_S = piece.sound(RATE_HZ)
        assert abs(len(sound_S) - piece.frames * RATE_HZ // 20) <= RATE_HZ // 40
        whole_S, _ = cleaned(noise(length_s, seed=int(piece.file[-5]))[0], RATE_HZ)
        first = round(piece.start_s * RATE_HZ)
        # The high-pass begins half a second before the piece, not with the file.
        np.testing.assert_allclose(sound_S, whole_S[first : first + len(sound_S)], atol=2e-3)


def test_files_without_usable_sound_are_skipped_and_named(folder: Path) -> None:
    found = choose_pieces(PieceOptions(folder=folder, pieces=100), FORMAT)
    assert (len(found.pieces), found.files, len(found.notices)) == (100, 8, 2)
    assert any("short.wav lasts 0.50 s; 1 s or more was expected" in notice for notice in found.notices)
    assert any("dev.csv is not a sound or video file that can be read" in notice for notice in found.notices)
    for number in range(7):
        (folder / f"{number}\x1b[2J.txt").write_text("no sound")
    notices = choose_pieces(PieceOptions(folder=folder, pieces=100), FORMAT).notices
    assert (len(notices), notices[-1]) == (6, "skipped for such reasons: 4 more files.")
    assert all(notice.isprintable() for notice in notices)


def test_a_name_that_is_no_utf_8_is_read_and_written_with_escapes(tmp_path: Path) -> None:
    try:
        (tmp_path / os.fsdecode(b"a\xff.txt")).write_text("no sound")
    except OSError:
        pytest.skip("this file system has UTF-8 names only")
    write_wav(tmp_path / "b.wav", noise(2.0)[0])
    (notice,) = choose_pieces(PieceOptions(folder=tmp_path), FORMAT).notices
    assert "a\\udcff.txt" in notice


def test_folders_without_files_or_sound_are_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="is not a folder; --foreign expects"):
        chosen(tmp_path / "absent")
    with pytest.raises(TrainingError, match="holds no file with sound; put"):
        chosen(tmp_path)
    write_wav(tmp_path / "short.wav", noise(0.5)[0])
    with pytest.raises(
        TrainingError, match=r"no file with sound of 1 s or more \(1 skipped, among them: .*short\.wav lasts"
    ):
        chosen(tmp_path)
