"""Dataclasses from plain values: what is accepted, and one sentence for each mistake."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from engine.core.errors import ConfigError
from engine.core.structured import parse_json, plain_values, structure


@dataclass(frozen=True, kw_only=True, slots=True)
class Filter:
    cutoff_hz: float = 100.0
    order: int = 2
    kind: Literal["low", "high"] = "low"

    def __post_init__(self) -> None:
        if self.order < 1:
            raise ConfigError(f"order is {self.order}; 1 or more was expected.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Chain:
    name: str
    filter: Filter = field(default_factory=Filter)
    filters: tuple[Filter, ...] = ()
    range: tuple[float, float] = (0.0, 1.0)
    window: tuple[int, int, int] | None = None
    threads: int | None = None
    is_stereo: bool = True
    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])


def refusal(values: object, **words: str) -> str:
    with pytest.raises(ConfigError) as raised:
        structure(Chain, values, ConfigError, **words)  # type: ignore[arg-type]
    return str(raised.value)


def test_values_come_back_as_they_were() -> None:
    chain = Chain(
        name="a", filter=Filter(order=3), filters=(Filter(kind="high"), Filter()), range=(0.5, 2.0), settings={"x": [1]}
    )
    plain = json.loads(json.dumps(plain_values(chain)))
    assert structure(Chain, plain, ConfigError) == chain
    assert structure(Chain, {"name": "a"}, ConfigError) == Chain(name="a")


def test_whole_numbers_and_yaml_exponents_are_numbers() -> None:
    read = structure(Filter, {"cutoff_hz": 20}, ConfigError)
    assert (read.cutoff_hz, type(read.cutoff_hz)) == (20.0, float)
    assert structure(Filter, {"cutoff_hz": "1e-4"}, ConfigError).cutoff_hz == 1e-4


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"nane": "a"}, "Unknown key 'nane'. Did you mean 'name'?"),
        ({"name": "a", "filter": {"ordre": 1}}, "Unknown key 'filter.ordre'. Did you mean 'order'?"),
        ({"name": "a", 3: 1}, "Unknown key '3'."),
        ({}, "The key 'name' is missing."),
        ({"name": 3}, "'name' is 3; a text was expected."),
        ({"name": None}, "'name' is None; a text was expected."),
        ({"name": "a", "filter": [1]}, "'filter' is [1]; a mapping was expected."),
        ({"name": "a", "filter": {"order": True}}, "'filter.order' is True; a whole number was expected."),
        ({"name": "a", "filter": {"order": 2.0}}, "'filter.order' is 2.0; a whole number was expected."),
        ({"name": "a", "filter": {"cutoff_hz": "loud"}}, "'filter.cutoff_hz' is 'loud'; a number was expected."),
        ({"name": "a", "filter": {"cutoff_hz": False}}, "'filter.cutoff_hz' is False; a number was expected."),
        ({"name": "a", "filter": {"cutoff_hz": float("nan")}}, "'filter.cutoff_hz' is nan; a number was expected."),
        ({"name": "a", "filter": {"kind": "mid"}}, "'filter.kind' is 'mid'; one of 'low', 'high' was expected."),
        ({"name": "a", "filter": {"kind": []}}, "'filter.kind' is []; one of 'low', 'high' was expected."),
        ({"name": "a", "filters": [{}, {"order": "2"}]}, "'filters[1].order' is '2'; a whole number was expected."),
        ({"name": "a", "filters": {"order": 2}}, "'filters' is {'order': 2}; a list was expected."),
        ({"name": "a", "filters": "ab"}, "'filters' is 'ab'; a list was expected."),
        ({"name": "a", "range": [1]}, "'range' has 1 values; 2 were expected."),
        ({"name": "a", "range": 3}, "'range' is 3; a list was expected."),
        ({"name": "a", "window": [1]}, "'window' has 1 values; 3 were expected."),
        ({"name": "a", "range": [1, "x"]}, "'range[1]' is 'x'; a number was expected."),
        ({"name": "a", "threads": "two"}, "'threads' is 'two'; a whole number was expected."),
        ({"name": "a", "is_stereo": 1}, "'is_stereo' is 1; true or false was expected."),
        ({"name": "a", "versions": [1]}, "'versions' is [1]; a mapping was expected."),
        ({"name": "a", "versions": {"numpy": 2}}, "'versions.numpy' is 2; a text was expected."),
        ({"name": "a", "filter": {"order": -1}}, "order is -1; 1 or more was expected."),
        ([1], "This is [1]; a mapping was expected."),
        (None, "This is None; a mapping was expected."),
    ],
)
def test_each_mistake_is_one_sentence(values: object, sentence: str) -> None:
    assert refusal(values) == sentence


def test_a_sentence_names_the_file_the_path_and_the_way_out() -> None:
    words = {"where": "show", "noun": "setting", "before": "show.yaml: ", "after": " See docs/options.md."}
    assert (
        refusal({"nane": 1}, **words)
        == "show.yaml: Unknown setting 'show.nane'. Did you mean 'name'? See docs/options.md."
    )
    assert refusal(3, **words) == "show.yaml: show is 3; a mapping was expected. See docs/options.md."
    assert refusal({"name": "a", "filter": {"order": 0}}, **words) == "show.yaml: order is 0; 1 or more was expected."


def test_large_and_deep_values_are_shortened() -> None:
    deep: list[object] = []
    for _ in range(10_000):
        deep = [deep]
    assert len(refusal({"name": "x", "filters": {"a": deep}})) < 200
    assert "a number of 16610 bits; a text" in refusal({"name": 10**5000})
    assert "was expected" in refusal({"name": "x", "filter": {"cutoff_hz": 10**5000}})
    assert len(refusal({"name": "x", "threads": "y" * 10_000})) < 200


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "9" * 5000, b"\xff\xfe", "{1: 2}"])
def test_what_is_no_json_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_json(text)


def test_a_show_begins_without_the_converter() -> None:
    """Its import takes time; only what reads a file waits for it."""
    program = "import sys, engine.takes.recorder, engine.model.backends.selection; print('cattrs' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": 1, "a": 2}', "the key 'a' stands twice"),
        ('{"a": ' + "9" * 5000 + "}", "it holds a whole number of 5000 digits"),
        ('{"a": 99999999999999999999}', "it holds a whole number of 20 digits"),
        ("[" * 65 + "]" * 65, "it is nested more than 64 deep"),
        ("[" * 100_000, "it is nested too deeply"),
        ('["\\u0000"]', "it holds a character that no text has"),
        ('{"\\ud800": 1}', "it holds a character that no text has"),
        ('\n{"a":', "it is cut off or no JSON in line 2"),
    ],
)
def test_hostile_json_is_one_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_json(text)


def test_json_that_is_meant_is_read() -> None:
    assert parse_json('{"a": ["\\ud83d\\ude00", 18446744073709551615, 1e-4]}') == {"a": ["😀", 2**64 - 1, 1e-4]}
    assert parse_json("[" * 64 + "]" * 64)
