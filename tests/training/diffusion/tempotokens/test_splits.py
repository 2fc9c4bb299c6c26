"""The published lists of films, held against a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.core.errors import TrainingError
from training.diffusion.tempotokens.splits import Film, films_of, read_split

LANDSCAPE = "ytid,start_time,class,set\nMJ9-HmGWw1k,180,wind noise,train\nCQSfI_tXZLY,180,wind noise,test\ndva7eX6tikc,10,thunder,train\n"
VGGSOUND = '---g-f_I2yQ,1,"people marching, outdoors",test\n--0PQM4-hqg,30,waterfall burbling,train\n'


def listed(folder: Path, content: str) -> Path:
    file = folder / "list.csv"
    file.write_text(content)
    return file


def test_a_part_has_its_films_and_their_classes(tmp_path: Path) -> None:
    file = listed(tmp_path, LANDSCAPE)
    assert read_split(file, "train") == {"MJ9-HmGWw1k": "wind noise", "dva7eX6tikc": "thunder"}
    assert read_split(file, "test") == {"CQSfI_tXZLY": "wind noise"}


def test_vggsound_has_no_line_of_names(tmp_path: Path) -> None:
    assert read_split(listed(tmp_path, VGGSOUND), "test") == {"---g-f_I2yQ": "people marching, outdoors"}


def test_films_are_found_by_their_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One may be cut into several files, others are not listed or of the other part."""
    for name in ("MJ9-HmGWw1k_000180.mp4", "MJ9-HmGWw1k_000190.mp4", "CQSfI_tXZLY.mp4", "other.mp4", "notes.txt"):
        (tmp_path / name).touch()
    file = listed(tmp_path, LANDSCAPE)
    paths = [tmp_path / f"MJ9-HmGWw1k_000{start}.mp4" for start in (180, 190)]
    assert films_of([tmp_path], file, "train") == [Film(path, "wind noise") for path in paths]
    assert capsys.readouterr().out == f"split     1 film of 2 of the set train in {file}\n"


def test_short_names_are_whole_ones(tmp_path: Path) -> None:
    """AudioSet-Drum has numbers."""
    file = listed(tmp_path, "ytid,start_time,class,set\n578,0,drum kit,train\n")
    for name in ("578.mp4", "5781.mp4"):
        (tmp_path / name).touch()
    assert [film.path.name for film in films_of([tmp_path], file, "train")] == ["578.mp4"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "lists no film of the set train"),
        ("ytid,start_time,class,set\na,0,drum kit,test\n", "lists no film of the set train"),
        ("ytid,start_time,class,set\na,0,drum kit\n", "Line 2 of .* is 'a,0,drum kit'; columns ytid"),
        ("a,0,drum kit,validation\n", "of which the set is train or test"),
        (
            LANDSCAPE,
            r"holds none of the films of the set train .*, which lists 2; files named MJ9-HmGWw1k\.mp4 were expected",
        ),
    ],
)
def test_lists_that_cannot_be_used(tmp_path: Path, content: str, sentence: str) -> None:
    file = listed(tmp_path, content)
    with pytest.raises(TrainingError, match=sentence):
        films_of([tmp_path], file, "train")


def test_a_list_and_a_folder_are_needed(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"Cannot read .*absent\.csv"):
        read_split(tmp_path / "absent.csv", "train")
    with pytest.raises(TrainingError, match="is no folder; with --split"):
        films_of([tmp_path / "absent"], listed(tmp_path, LANDSCAPE), "train")
