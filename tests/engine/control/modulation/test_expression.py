"""Expressions: what they compute, and what they refuse."""

from __future__ import annotations

import contextlib
import itertools
import math
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.audio.features.audio_features import AudioFeatures
from engine.control.modulation.expression import (
    DEEPEST,
    FUNCTIONS,
    INPUT_FUNCTIONS,
    INPUT_VARIABLES,
    LONGEST_TEXT,
    NAMES,
    Inputs,
    parse_expression,
)
from engine.control.modulation.input_names import reserved_names
from engine.core import shaping_functions
from engine.core.errors import ConfigError

INPUTS = Inputs(
    value=0.25,
    level=0.5,
    low=0.1,
    mid=0.2,
    high=0.3,
    onset=0.75,
    onsets=3.0,
    beat=0.25,
    bar=0.5,
    beats=2.25,
    tempo=120.0,
    time_s=1.5,
    features=(0.5, 2.0),
)

KNOWN = (0.9637410594150424, 0.5733975800685585, 0.13706416846252978)


def compute(text: str) -> float:
    return parse_expression(text, "glow")(INPUTS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.2 + 0.6 * onset", 0.65),
        ("value * (0.5 + level)", 0.25),
        ("0.1 * sin(turn * beat)", 0.1),
        ("-value + +1", 0.75),
        ("2 ** 3 ** 2 / 512", 1.0),
        ("7 % 4 - 0.5", 2.5),
        ("-0.25 % 1", 0.75),
        ("beat < 0.5 <= bar", 1.0),
        ("1 < 2 < 3 > 5", 0.0),
        ("onsets == 3 and not level > 0.9", 1.0),
        ("low > 1 or mid > 1", 0.0),
        ("high if tempo >= 120 else low", 0.3),
        ("1 if level else 1 / (level - level)", 1.0),
        ("True + False", 1.0),
        ("min(3, 1, 2) + max(1, 2)", 3.0),
        ("clamp(5, 0, 2)", 2.0),
        ("mix(1, 3, 0.25)", 1.5),
        ("step(0.5, level) + step(0.6, level)", 1.0),
        ("smoothstep(0, 1, 0.5)", 0.5),
        ("pow(9, 0.5) + sqrt(16)", 7.0),
        ("floor(-0.5)", -1.0),
        ("fract(beats)", 0.25),
        ("abs(0 - 2) + cos(pi)", 1.0),
        ("square(beat) + square(beat + 0.5)", 1.0),
        ("triangle(beat) + triangle(0.5) + triangle(0)", 1.5),
        ("saw(1.75)", 0.75),
        ("feature(1) * feature(0)", 1.0),
        ("lfo(0.5)", 0.5 + 0.5 * math.sin(math.tau * 0.75)),
        ("  1\n + 1 ", 2.0),
    ],
)
def test_what_expressions_compute(text: str, expected: float) -> None:
    assert compute(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("levle * 2", "Did you mean 'level'"),
        ("sine(beat)", "Did you mean 'sin'"),
        ("__import__('os')", "calls '__import__'"),
        ("level.__class__", "holds 'level.__class__', which is not allowed"),
        ("(lambda: 1)()", "is not allowed"),
        ("[x for x in (1,)]", "is not allowed"),
        ("'text'", "is no number"),
        ("1j", "is no number"),
        ("None", "is no number"),
        ("f'{level}'", "is not allowed"),
        ("(x := 1)", "is not allowed"),
        ("level @ 2", "is not allowed"),
        ("5 // 2", "is not allowed"),
        ("1 << 400", "is not allowed"),
        ("~1", "is not allowed"),
        ("1 is 1", "is not allowed"),
        ("1 in 2", "is not allowed"),
        ("feature[0]", "is not allowed"),
        ("sin", "without its brackets"),
        ("sin()", r"it is sin\(x\)"),
        ("sin(1, 2)", r"it is sin\(x\)"),
        ("min(1)", r"it is min\(x, y, ...\)"),
        ("clamp(1, low=2, high=3)", "wrong arguments"),
        ("min(*(1, 2), 3)", "is not allowed"),
        ("1e999", "too large"),
        ("9" * 400, "too large"),
        ("", "is no expression"),
        ("1 +", "is no expression"),
        ("glow = 1", "is no expression"),
        ("import os", "is no expression"),
        ("1; 2", "is no expression"),
        ("a\0b", "is no expression"),
        ("1" + "+1" * LONGEST_TEXT, f"{LONGEST_TEXT} are the most"),
        ("(" * 240 + "1" + ")" * 240, "is no expression"),
        ("-" * (DEEPEST + 1) + "1", "nested more than"),
        ("1" + "+1" * (DEEPEST + 1), "nested more than"),
    ],
)
def test_what_is_unknown_or_unsafe_is_refused_in_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as refusal:
        parse_expression(text, "glow")
    assert str(refusal.value).startswith("The mapping of glow, '")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("text", ["1 / (level - level)", "1 % (level - level)", "(tempo + 10) ** 400", "(0 - level) ** 0.5",
                                  "sqrt(0 - level)", "pow(level - level, -1)", "feature(2)", "feature(-1)",
                                  "smoothstep(level, level, 2)", "floor(1e308 * (level + 10))"])  # fmt: skip
def test_without_a_result_an_error_of_arithmetic_is_raised(text: str) -> None:
    term = parse_expression(text, "glow")
    with pytest.raises((ArithmeticError, ValueError)):
        term(INPUTS)


ATOMS = st.one_of(
    st.sampled_from([*NAMES, "0", "1", "0.5", "1e300", "0 - 3"]),
    st.floats(0, 1e308, allow_nan=False, allow_subnormal=False).map(str),
)


def combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = ["+", "-", "*", "/", "%", "**", "<", ">=", "==", "and", "or"]
    binary = st.tuples(inner, st.sampled_from(operators), inner).map(lambda parts: "({} {} {})".format(*parts))
    names = [name for name, function in FUNCTIONS.items() if function.fewest == 1] + [*INPUT_FUNCTIONS]
    called = st.tuples(st.sampled_from(names), inner).map(lambda parts: "{}({})".format(*parts))
    return st.one_of(binary, called)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.recursive(ATOMS, combined, max_leaves=12).filter(lambda text: len(text) <= LONGEST_TEXT))
def test_whatever_is_accepted_gives_a_number_or_an_error_of_arithmetic(text: str) -> None:
    with contextlib.suppress(ArithmeticError, ValueError):
        # A part that never has a result is refused, with an error that is a ValueError.
        term = parse_expression(text, "glow")
        assert isinstance(term(INPUTS), (float, int))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("9**9**9", "holds '9**9**9', which has no result"),
        ("onset + 9**9**9", "holds '9**9**9', which has no result"),
        ("level * fract(1 / 0)", "holds 'fract(1 / 0)', which has no result"),
        ("2 if onset else sqrt(-1)", "holds 'sqrt(-1)', which has no result"),
        ("1e308 * 10", "which has no result"),
        ("'a' * 10**9", "'a', which is no number"),
        ("1 << 10**9", "holds '1 << 10**9', which is not allowed"),
        ("0x" + "f" * 450, "too large to count with"),
        ("(" * 250 + "1" + ")" * 249, "is no expression"),
        ("1+" * 240 + "1", "nested more than 40 deep"),
        ("1" * 10_000_000, "500 are the most"),
    ],
)
def test_what_overflows_or_is_too_large_is_refused_when_it_is_read(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(sentence)) as refusal:
        parse_expression(text, "glow")
    assert len(str(refusal.value)) < 400


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=60))
def test_any_text_is_computed_or_refused(text: str) -> None:
    with contextlib.suppress(ConfigError):
        parse_expression(text, "glow")


def test_noise_is_smooth_and_always_the_same() -> None:
    wander = [shaping_functions.noise(0.01 * step) for step in range(2000)]
    assert 0.0 <= min(wander) < 0.2
    assert 0.8 < max(wander) <= 1.0
    assert max(abs(after - before) for before, after in itertools.pairwise(wander)) < 0.02
    assert [shaping_functions.noise(x) for x in (-3.0, 0.0, 7.0)] == pytest.approx(KNOWN, abs=1e-9)


DRUMS = AudioFeatures(level=0.7, low=0.6, mid=0.5, high=0.4, onsets=4, onset_strength=1.0, onset_age_s=0.1)
SOUND_INPUTS = ("drums", "voice")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("drums.level", 0.7),
        ("drums.low + drums.mid + drums.high", 1.5),
        ("drums.onsets % 3", 1.0),
        ("drums.onset", math.exp(-0.1 / 0.2)),
        ("onset + voice.level", 0.75),
        ("max(drums.level, level) if drums.onset > 0.1 else lfo(1)", 0.7),
    ],
)
def test_features_of_named_inputs(text: str, expected: float) -> None:
    inputs = Inputs(level=0.5, onset=0.75, sound_inputs={"drums": DRUMS}, onset_decay_ms=200.0)
    assert parse_expression(text, "glow", sound_inputs=SOUND_INPUTS)(inputs) == pytest.approx(expected)


def test_an_input_without_sound_yet_is_silent() -> None:
    for variable in INPUT_VARIABLES:
        assert parse_expression(f"drums.{variable}", "glow", sound_inputs=SOUND_INPUTS)(Inputs()) == 0.0


@pytest.mark.parametrize(
    ("text", "sound_inputs", "sentence"),
    [
        (
            "drum.onset",
            SOUND_INPUTS,
            r"names 'drum', which is no input of this show. Did you mean 'drums'\? It has drums, voice",
        ),
        (
            "drums.onst",
            SOUND_INPUTS,
            r"names 'drums.onst', which no input has. Did you mean 'onset'\? Each has level, low,",
        ),
        ("drums.beat", SOUND_INPUTS, "names 'drums.beat', which no input has"),
        ("drums", SOUND_INPUTS, r"names the input 'drums' alone; write drums\.onset or drums\.level"),
        ("drums()", SOUND_INPUTS, "calls 'drums', which is no function"),
        ("drums.onset.level", SOUND_INPUTS, "which is not allowed"),
        ("drums.__class__", SOUND_INPUTS, "names 'drums.__class__', which no input has"),
        ("level.onset", SOUND_INPUTS, "which is not allowed"),
        ("drums.onset", (), r"Its sound has no name; give it one, e\.g\. --source drums=mic"),
        ("mix.level", SOUND_INPUTS, "names 'mix', which is no input of this show"),
    ],
)
def test_inputs_that_there_are_not_are_refused_in_one_sentence(
    text: str, sound_inputs: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(ConfigError, match=sentence) as refusal:
        parse_expression(text, "glow", sound_inputs=sound_inputs)
    assert "\n" not in str(refusal.value)


def test_no_input_can_have_the_name_of_something_else() -> None:
    assert {"zoom", "onset", "level", "time_s", "lfo", "sin", "hit"} <= reserved_names(["zoom"])
    assert "drums" not in reserved_names(["zoom"])
