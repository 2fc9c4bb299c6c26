"""Address patterns: what they match, and that no pattern costs more than its length."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import TABLE, parameters_for
from engine.control.remotes.osc_inbox import Inbox
from engine.control.remotes.osc_patterns import (
    LONGEST_PATTERN,
    MOST_REMEMBERED,
    NEW_PATTERNS_AT_ONCE,
    Patterns,
    matches_name,
)
from engine.control.remotes.remote_access import RemoteAccess
from engine.core.errors import ConfigError
from tests.engine.app.shows import InventedClock
from tests.engine.control.remotes.test_osc import message
from tests.engine.model.probe_model import CARD

PARAMETERS = {parameter.name: parameter for parameter in TABLE}
CONTROLLER = ("10.0.0.1", 9001)


@pytest.mark.parametrize(
    ("pattern", "name", "is_match"),
    [
        ("onset_*", "onset_zoom", True),
        ("onset_*", "onset_", True),
        ("onset_*", "onset", False),
        ("*", "zoom", True),
        ("**", "", True),
        ("z??m", "zoom", True),
        ("zoom?", "zoom", False),
        ("[a-z]oom", "zoom", True),
        ("[!a-y]oom", "zoom", True),
        ("[!z]oom", "zoom", False),
        ("[a-]x", "-x", True),
        ("[]oom", "zoom", False),
        ("{zoom,glow}", "glow", True),
        ("{zo,z}o{m,om}", "zoom", True),
        ("{,zoom}", "", True),
        ("*_{m,k}*s", "smoothing_ms", True),
        ("*o*m*", "zoom", True),
        ("*m*z*", "zoom", False),
        ("", "zoom", False),
    ],
)
def test_parts_of_patterns(pattern: str, name: str, is_match: bool) -> None:
    assert matches_name(pattern, name) is is_match


@pytest.mark.parametrize("pattern", ["[ab", "{ab", "ab]", "ab}", "{a,[b]}", "{a{b}}"])
def test_an_invalid_pattern_is_one_sentence(pattern: str) -> None:
    with pytest.raises(ConfigError, match=r"patterns look like"):
        matches_name(pattern, "zoom")


@seed(1)
@settings(max_examples=300, deadline=None, database=None)
@given(
    tokens=st.lists(st.sampled_from(["*", "?", "a", "b", "[ab]", "[!a]", "{a,ab}", "{b,}"]), max_size=8),
    name=st.text("abc", max_size=8),
)
def test_patterns_match_as_the_regular_expressions_that_they_stand_for(tokens: list[str], name: str) -> None:
    meant = {"*": ".*", "?": ".", "[!a]": "[^a]", "{a,ab}": "(?:a|ab)", "{b,}": "(?:b|)"}
    expression = "".join(meant.get(token, token) for token in tokens)
    assert matches_name("".join(tokens), name) is bool(re.fullmatch(expression, name))


@pytest.mark.parametrize("pattern", ["*a" * 5000, "*" * 10000 + "b", "{a,aa}" * 2000 + "b", "[a-z]*" * 2000 + "!"])
def test_patterns_that_take_others_for_ever_end(pattern: str) -> None:
    """As regular expressions these take time without a bound: the test would not end."""
    assert not matches_name(pattern, "a" * 64 + "c")


def test_patterns_match_parameters_former_names_and_first_parts() -> None:
    patterns = Patterns()
    onsets = {name for name in PARAMETERS if name.startswith("onset_")}
    assert set(patterns.match("/fluid/onset_*", PARAMETERS, 0.0).names) == onsets
    assert patterns.match("/*/{zoom,glow}", PARAMETERS, 0.0).names == ("zoom", "glow")
    assert patterns.match("/fluid/?it_zoom", PARAMETERS, 0.0).names == ("hit_zoom",)
    # By the name of now, where both match.
    assert patterns.match("/fluid/{?it,onset}_zoom", PARAMETERS, 0.0).names == ("onset_zoom",)
    assert patterns.match("/other/*", PARAMETERS, 0.0).names == ()
    assert patterns.match("/fluid/zoom/*", PARAMETERS, 0.0).names == ()
    assert patterns.match("//*", PARAMETERS, 0.0).names == ()


def test_new_patterns_are_limited_and_known_ones_are_not() -> None:
    patterns = Patterns()
    known = [f"/fluid/zoom{'*' * number}" for number in range(1, int(NEW_PATTERNS_AT_ONCE) + 1)]
    for pattern in known:
        assert patterns.match(pattern, PARAMETERS, 0.0).names == ("zoom",)
    with pytest.raises(ConfigError, match="new address patterns"):
        patterns.match("/fluid/glo*", PARAMETERS, 0.0)
    assert patterns.match(known[0], PARAMETERS, 0.0).names == ("zoom",)
    assert patterns.match("/fluid/glo*", PARAMETERS, 1.0).names == ("glow",)
    # What is used often is not forgotten, and what came before it is.
    now_s = 1.0
    for number in range(2 * MOST_REMEMBERED):
        now_s += 10.0
        patterns.match(f"/fluid/{number}*", PARAMETERS, now_s)
        patterns.match(known[0], PARAMETERS, now_s)
    for number in range(int(NEW_PATTERNS_AT_ONCE) - 1):
        patterns.match(f"/fluid/{number}??", PARAMETERS, now_s)
    assert patterns.match(known[0], PARAMETERS, now_s).names == ("zoom",)
    with pytest.raises(ConfigError, match="new address patterns"):
        patterns.match(known[1], PARAMETERS, now_s)


def test_another_model_has_other_parameters() -> None:
    patterns = Patterns()
    assert patterns.match("/fluid/gai*", PARAMETERS, 0.0).names == ("gain_db",)
    other = {parameter.name: parameter for parameter in parameters_for(CARD)}
    assert patterns.match("/fluid/gai*", other, 0.0).names == ("gain_db", "gain")


def test_a_long_pattern_is_one_sentence() -> None:
    with pytest.raises(ConfigError, match=f"more than {LONGEST_PATTERN} characters"):
        Patterns().match("/fluid/" + "?" * LONGEST_PATTERN, PARAMETERS, 0.0)


@pytest.fixture
def store() -> ParameterStore:
    return ParameterStore(parameters_for(CARD), notify=[].append)


@pytest.fixture
def inbox(store: ParameterStore) -> Inbox:
    return Inbox(RemoteAccess(store, ["blackout"], [].append), dict, InventedClock())


def sentences(inbox: Inbox) -> list[str]:
    return [str(values[0]) for _, (to, values) in inbox.apply() if to == "/fluid/error"]


def test_one_message_sets_what_it_matches(store, inbox) -> None:
    inbox.put(message("onset_{zoom,glow}", 0.5), CONTROLLER)
    inbox.put(message("onset_glow", 0.25), CONTROLLER)
    assert inbox.apply() == []
    assert (store.values()["onset_zoom"], store.values()["onset_glow"]) == (0.5, 0.25)
    inbox.put(message("onset_glow", 0.75), CONTROLLER)
    inbox.put(message("onset_{zoom,glow}", 1), CONTROLLER)
    inbox.apply()
    assert (store.values()["onset_zoom"], store.values()["onset_glow"]) == (1.0, 1.0)


def test_a_press_and_a_release_in_one_batch_press(store, inbox) -> None:
    for value in (1, 0, 127, 0.0):
        inbox.put(message("rese?", value), CONTROLLER)
    inbox.put(message("ta*"), CONTROLLER)
    assert inbox.apply() == []
    assert (store.values()["reset"], store.values()["tap"]) == (1, 1)


def test_patterns_reach_no_event_and_no_locked_parameter(store, inbox) -> None:
    inbox.put(message("s*ene", 1), CONTROLLER)
    assert sentences(inbox) == ["/fluid/s*ene matches events alone, which need their whole addresses."]
    inbox.put(message("{blackout,freeze,scene}", 1), CONTROLLER)
    told = sentences(inbox)
    assert told[0].startswith(
        "1 of 2 parameters that /fluid/{blackout,freeze,scene} matches are not set: blackout is locked"
    )
    assert (store.values()["blackout"], store.values()["freeze"]) == (False, True)
    assert store.take_snapshot(0).events == ()


def test_a_pattern_without_a_value_asks(store, inbox) -> None:
    inbox.put(message("{zoom,glow,reset}"), CONTROLLER)
    assert inbox.apply() == [(CONTROLLER, ("/fluid/zoom", (1.0,))), (CONTROLLER, ("/fluid/glow", (0.0,)))]
    assert store.values()["reset"] == 0


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("zo*m", "1.0", "/fluid/zo*m takes a number, not the text '1.0'; send a number, OSC type f or i."),
        ("zo*m", float("nan"), "/fluid/zo*m takes a number, not nan."),
        ("nothing*", 1.0, "No parameter matches /fluid/nothing*."),
        ("zoo[m", 1.0, "has a [ that does not end"),
    ],
)
def test_what_a_pattern_cannot_do_is_one_sentence(store, inbox, name, value, sentence) -> None:
    before = store.values()
    inbox.put(message(name, value), CONTROLLER)
    assert sentence in sentences(inbox)[0]
    assert (inbox.counts.refused, store.values()) == (1, before)


def test_patterns_of_other_programs_are_foreign(inbox) -> None:
    inbox.put(b"/x*/zoom\0\0\0\0,f\0\0\x3f\x80\0\0", CONTROLLER)
    assert (inbox.counts.foreign, inbox.counts.refused) == (1, 1)
