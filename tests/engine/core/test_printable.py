"""Names that hold more than letters can neither steer a terminal nor forge a line."""

from __future__ import annotations

import io

import pytest

from engine.core.errors import BackendError, ConfigError, TrainingError
from engine.core.printable import (
    LONGEST_LINE,
    LONGEST_SENTENCE,
    LONGEST_WORD,
    print_line,
    print_lines,
    printable,
    printable_lines,
    short_sentence,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Wasser é 水 👩‍🎤 ± –", "Wasser é 水 👩‍🎤 ± –"),
        ("\x1b[2J\x1b]0;owned\x07", r"\x1b[2J\x1b]0;owned\x07"),
        ("a\nerror: forged\r\tb", r"a\nerror: forged\r\tb"),
        ("\x9b31m\x7f\x00", r"\x9b31m\x7f\x00"),
        ("gnp.\u202eexe \u2066x\u2069 \u200f", r"gnp.\u202eexe \u2066x\u2069 \u200f"),
        ("a\u2028b\u2029c\u200bd\ufeff", r"a\u2028b\u2029c\u200bd\ufeff"),
        ("file\udc80", r"file\udc80"),
        ("\U000e0041\ue000", r"\U000e0041\ue000"),
        ("x" * 10 * LONGEST_LINE, "x" * (LONGEST_LINE - 3) + "..."),
    ],
)
def test_what_is_unprintable_becomes_an_escape(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown


@pytest.mark.parametrize("error", [ConfigError, TrainingError, BackendError])
def test_no_name_makes_a_sentence_long_that_somebody_has_to_read(error: type[ValueError]) -> None:
    path = "/films/" + "d" * (LONGEST_WORD - 20)
    told = str(error(f"There is no family '{5000 * 'n'}' in {path}; take 'water'."))
    assert len(told) < 2 * LONGEST_WORD + 50
    assert told.startswith("There is no family 'nnn")
    assert told.endswith(f"...{39 * 'n'}' in {path}; take 'water'.")
    assert str(error(told)) == told


def test_words_of_a_usual_length_stay_as_they_are() -> None:
    sentence = " ".join([LONGEST_WORD * "a", "b", LONGEST_WORD * "c"])
    assert short_sentence(sentence) == sentence


def test_a_sentence_of_many_words_is_shortened_in_its_middle() -> None:
    told = str(ConfigError(f"{500 * 'very '}long is no source; take mic."))
    assert len(told) <= LONGEST_SENTENCE
    assert told.startswith("very very")
    assert told.endswith("long is no source; take mic.")
    assert str(ConfigError(told)) == told


def test_lines_stay_lines() -> None:
    assert printable_lines("a\n  b\x1b\n\tc\n") == "a\n  b\\x1b\n        c\n"


def test_what_the_encoding_lacks_is_an_escape() -> None:
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, encoding="latin-1")
    print_line("Größe 水\udcff\n", file=stream)
    print_lines("a\nb\x1b[0m", file=stream)
    assert written.getvalue().decode("latin-1").splitlines() == [r"Größe \u6c34\udcff\n", "a", r"b\x1b[0m"]
