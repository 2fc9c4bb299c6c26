"""The file of order and playlist: what is written is read again, and whatever else lies there is a sentence and an empty playlist."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.control.scenes.playlist import PlaylistEntry
from engine.control.scenes.playlist_file import LONGEST_BYTES, NAME, Order, check_numbers, read_order, write_order
from engine.core.errors import ConfigError

ORDER = Order(
    (3, 1, 2), (PlaylistEntry(3, 16.0, "bars"), PlaylistEntry(1, 30.5, "seconds", False), PlaylistEntry(3, 1, "bars"))
)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    assert read_order(tmp_path / "scenes") == (Order(), "")
    write_order(tmp_path / "scenes", ORDER)
    assert read_order(tmp_path / "scenes") == (ORDER, "")
    assert (tmp_path / "scenes" / NAME).read_text().splitlines() == [
        "order: [3, 1, 2]",
        "playlist:",
        "- {scene: 3, bars: 16}",
        "- {scene: 1, seconds: 30.5, takes_part: false}",
        "- {scene: 3, bars: 1}",
    ]


def test_the_file_may_be_written_by_hand(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("playlist:\n  - scene: 4\n    seconds: 20\n")
    assert read_order(tmp_path).order == Order((), (PlaylistEntry(4, 20, "seconds"),))
    (tmp_path / NAME).write_text("")
    assert read_order(tmp_path) == (Order(), "")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[1, 2]", "no mapping of order and playlist"),
        ("oder: [1]", "unknown key 'oder'. Did you mean 'order'?"),
        ("order: 3", "The order is 3; a list"),
        ("order: [1, 1]", "names scene 1; different whole numbers"),
        ("order: [0]", "names scene 0"),
        ("order: [[[[1]]]]", "names scene [[[1]]]"),
        ("playlist: yes", "playlist is"),
        ("playlist: [3]", "playlist has 3; an entry such as {scene: 3, bars: 16}"),
        ("playlist: [{scene: 3}]", "an entry such as"),
        ("playlist: [{scene: 3, bars: 1, seconds: 2}]", "an entry such as"),
        ("playlist: [{scene: 3, bars: 1, colour: 2}]", "an entry such as"),
        ("playlist: [{scene: 3, bars: -1}]", "lasts -1 bars"),
        ("playlist: [{scene: 3, seconds: .inf}]", "lasts inf seconds"),
        ("playlist: [", "is not valid YAML"),
        ("a: &a [*a]", "is not valid YAML"),
        ("\0", "NUL byte"),
        ("order: [" + 40_000 * "1, " + "]", "larger than the 64 KiB"),
    ],
)
def test_a_damaged_file_is_one_sentence_and_an_empty_playlist(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / NAME).write_text(text)
    order, trouble = read_order(tmp_path)
    assert order == Order()
    assert says in trouble
    assert trouble.endswith("the playlist is empty until it is set again.")
    assert "\n" not in trouble
    write_order(tmp_path, ORDER)
    assert read_order(tmp_path) == (ORDER, "")


def test_a_pipe_in_its_place_is_neither_read_nor_written(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / NAME)
    assert "it is a pipe" in read_order(tmp_path).trouble
    with pytest.raises(ConfigError, match=r"The playlist cannot be saved in .*it is a pipe"):
        write_order(tmp_path, ORDER)


def test_the_longest_playlist_fits_into_the_file(tmp_path: Path) -> None:
    longest = Order(tuple(range(1, 129)), (PlaylistEntry(128, 86399.123456789, "seconds", False),) * 256)
    write_order(tmp_path, longest)
    assert (tmp_path / NAME).stat().st_size < LONGEST_BYTES
    assert read_order(tmp_path) == (longest, "")


def test_an_order_is_made_of_scene_numbers() -> None:
    assert check_numbers([2, 1]) == (2, 1)
    for given in ([True], ["1"], [129], [1.0], "12", None, list(range(200))):
        with pytest.raises(ConfigError):
            check_numbers(given)
