"""What was meant, by a name that is nearly one of those that there are."""

from __future__ import annotations

import pytest

from engine.core.counted import counted
from engine.core.errors import nearest_name


@pytest.mark.parametrize(
    ("name", "known", "sentence"),
    [
        ("gian_db", ["gain_db", "grain"], " Did you mean 'gain_db'?"),
        ("gain", ["grain", "gain_db"], " Did you mean 'gain_db'?"),
        ("onset", ["onset_zoom", "onsets", "onset-glow"], " Did you mean 'onset_zoom' or 'onset-glow'?"),
        ("nothing", ["gain_db"], ""),
        ("", ["gain_db"], ""),
        ("g" * 300, ["gain_db"], ""),
    ],
)
def test_names_that_go_on_come_before_names_that_are_alike(name: str, known: list[str], sentence: str) -> None:
    assert nearest_name(name, known) == sentence


def test_a_prefix_is_shown_and_not_compared() -> None:
    assert nearest_name("zom", ["zoom"], "--") == " Did you mean '--zoom'?"
    assert nearest_name("nothing", ["smoothing-ms"], "--", cutoff=0.7) == ""


def test_things_are_counted_in_words() -> None:
    assert [counted(number, "frame") for number in (0, 1, 2)] == ["0 frames", "1 frame", "2 frames"]
    assert counted(1200, "byte that is odd", "bytes that are odd") == "1,200 bytes that are odd"
