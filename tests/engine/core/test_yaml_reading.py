"""Whatever a YAML file says, reading it costs little and ends with plain values or one reason."""

from __future__ import annotations

import random

import pytest
import yaml

from engine.core.yaml_reading import MOST_VALUES, parse_yaml

ALIAS_BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
MERGE_BOMB = "a0: &a0 {x: 1, y: 2}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", None),
        ("a: 1\nb: [x, 2.5, true, null]", {"a": 1, "b": ["x", 2.5, True, None]}),
        ("title: 2026-01-31", {"title": "2026-01-31"}),
        ("title: 2026-99-99 25:61:61", {"title": "2026-99-99 25:61:61"}),
        ("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: *a", {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}, "c": {"x": 1, "y": 2}}),
        ("a: 18446744073709551616", {"a": 2**64}),
        ("a: 0x10", {"a": 16}),
    ],
)  # fmt: skip
def test_plain_values_are_read(text: str, values: object) -> None:
    assert parse_yaml(text) == values


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (ALIAS_BOMB, f"it holds more than {MOST_VALUES} values in line 5"),
        (MERGE_BOMB, f"it holds more than {MOST_VALUES} values in line 6"),
        ("\n- " * (MOST_VALUES + 1), f"it holds more than {MOST_VALUES} values"),
        ("a: 1\nb: &b [*b]", r"'\*b' stands inside itself in line 2"),
        ("a: " + "[" * 2000, "it is nested more than 64 deep in line 1"),
        ("? " * 2000, "it is nested more than 64 deep in line 1"),
        ("a: 1\nb: 2\na: 3", "the key 'a' stands twice in line 3"),
        ("a: " + "9" * 5000, "a whole number that cannot be read in line 1"),
        ("a: 0x" + "f" * 5000, "a whole number larger than any that can be meant in line 1"),
        ("a: " + "59:" * 5000 + "1", "a whole number larger than any that can be meant in line 1"),
        ("a: " + "59:" * 5000 + "1.5", "a number that cannot be read in line 1"),
        ("\na: !!int x", "a whole number that cannot be read in line 2"),
        ("a: !!float x", "a number that cannot be read in line 1"),
        ("a: !!bool x", "a value that cannot be read"),
        ("a: !!timestamp 2026-01-31", "could not determine a constructor for the tag .* in line 1"),
        ("a: !!binary aGFsbG8=", "could not determine a constructor"),
        ("!!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ('a: "x\\0"', "a character that no text has in line 1"),
        ('a: "\\ud800"', "a character that no text has in line 1"),
        ("a: 1\nb: \x1b[2J", "a character that no text has in line 2"),
        ("? [a]\n: b", "found unhashable key in line 1"),
        ("a: 1\n---\nb: 1", "but found another document in line 2"),
        ("a: 'x", "found unexpected end of stream in line 1"),
    ],
)
def test_anything_else_is_one_reason_with_its_line(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as refusal:
        parse_yaml(text)
    assert not isinstance(refusal.value, yaml.YAMLError)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 300


def test_any_scribble_is_read_or_refused() -> None:
    """2,000 texts of pieces that mean something to YAML."""
    drawn = random.Random(18)
    pieces = ["a", "b: ", "- ", "\n", "  ", "{", "}", "[", "]", ", ", "&a ", "*a", "<<: ", "!!int ", "!!set ", "!!map ", "'", '"', "? ",
              "0x", "1:1", "1e9", ".nan", "\\u0000", "---\n", "%YAML 1.1\n", "|\n", ">", "#", "é", "\t", "~", "2026-01-31"]  # fmt: skip
    refused = 0
    for _ in range(2000):
        text = "".join(drawn.choices(pieces, k=drawn.randint(1, 20)))
        try:
            parse_yaml(text)
        except ValueError:
            refused += 1
    assert 200 < refused < 2000
