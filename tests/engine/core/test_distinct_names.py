"""Names that are made of other files' names never meet."""

from pathlib import Path

import pytest

from engine.core.distinct_names import distinct_names


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["a.wav", "b.mp3"], ["a", "b"]),
        (["a.wav", "a.mp3"], ["a-wav", "a-mp3"]),
        (["a.wav", "A.wav"], ["a-wav", "A-wav-2"]),
        (["x/a.wav", "y/a.wav"], ["x/a", "y/a"]),
        (["a.wav", "a.mp3", "a-wav.ogg"], ["a-wav", "a-mp3", "a-wav-2"]),
        (["a-2.wav", "a", "a"], ["a-2", "a", "a-3"]),
        (["demo", "tone-440"], ["demo", "tone-440"]),
    ],
)
def test_every_name_is_given_once(given: list[str], expected: list[str]) -> None:
    assert [name.as_posix() for name in distinct_names([Path(path) for path in given])] == expected
