"""Which parts of the songs are rendered first."""

from pathlib import Path

import pytest

from engine.core.errors import MediaError, TrainingError
from tests.training.distillation.given import RATE_HZ, write_song
from training.distillation.songs import Song, read_songs, sound_files, stretches

A, B = Song(Path("a.wav"), 70.0, "a"), Song(Path("b.wav"), 25.0, "b")


def test_every_song_is_seen_first_and_then_more_of_each_far_from_what_was_seen() -> None:
    order = [(stretch.path.stem, stretch.start_s) for stretch in stretches([A, B], 8.0)]
    assert order[:6] == [("a", 0.0), ("b", 0.0), ("a", 32.0), ("b", 16.0), ("a", 16.0), ("b", 8.0)]
    assert sorted(order) == [("a", 8.0 * i) for i in range(8)] + [("b", 8.0 * i) for i in range(3)]


def test_a_song_that_is_shorter_than_a_stretch_is_one() -> None:
    (only,) = stretches([Song(Path("c.wav"), 5.0, "c")], 8.0)
    assert (only.start_s, only.seconds) == (0.0, 5.0)


def test_the_sounds_of_a_folder_are_those_of_its_folders_too(given: Path) -> None:
    names = [str(file.relative_to(given / "songs")) for file in sound_files([given / "songs"])]
    assert names == ["long.wav", "more/short.wav", "stroke.wav"]


def test_a_folder_without_sounds_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no sound")
    with pytest.raises(
        TrainingError, match=r"holds no sound; a folder with songs was expected, such as .wav or .mp3\.$"
    ):
        sound_files([tmp_path])


def test_what_cannot_be_rendered_is_left_out_and_told(tmp_path: Path) -> None:
    files = [write_song(tmp_path / f"{name}.wav", seconds) for name, seconds in (("a", 3.0), ("b", 3.0), ("c", 1.0))]
    (tmp_path / "d.wav").write_text("no sound")
    songs, left_out = read_songs([*files, tmp_path / "d.wav"], 2.0, RATE_HZ)
    assert [(song.path.name, song.length_s) for song in songs] == [("a.wav", 3.0)]
    same, short, damaged = left_out
    assert same.endswith(f"b.wav is the same sound as {files[0]}.")
    assert short.endswith("c.wav has 1.00 s, and the teacher sees 2 s at once.")
    assert "d.wav" in damaged


def test_sounds_that_are_all_too_short_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"None of the sounds is long enough \(.*a.wav has 1.00 s, and the teacher"):
        read_songs([write_song(tmp_path / "a.wav", 1.0)], 2.0, RATE_HZ)


def test_a_single_file_that_is_no_sound_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d.wav").write_text("no sound")
    with pytest.raises(MediaError, match=r"d\.wav"):
        read_songs([tmp_path / "d.wav"], 2.0, RATE_HZ)
