"""The parameter table, the store, and what is computed from them."""

from __future__ import annotations

import math
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from engine.app.command_line import build_parser, flag
from engine.app.config_reading import settable
from engine.app.osc_reference import MODELS, reference, shipped_cards
from engine.control.parameter import Parameter
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import TABLE, parameters_for
from engine.control.remotes.osc import OscServer
from engine.control.remotes.osc_addresses import address
from engine.control.remotes.remote_access import RemoteAccess
from engine.core.errors import ConfigError, ModelFileError
from engine.model.card import ControlSpec
from engine.model.file import read_card
from tests.engine.model.probe_model import CARD

PARAMETERS = parameters_for(CARD)
DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda p: p.name)
def test_defaults_lie_in_range(parameter):
    assert parameter.clip(parameter.default) == parameter.default or parameter.kind == "trigger"
    assert parameter.help


@pytest.mark.parametrize(
    ("name", "given", "value", "clipped"),
    [
        ("gain_db", "6", 6.0, False),
        ("gain_db", 100, 40.0, True),
        ("gain_db", -1e300, -60.0, True),
        ("gain", 9.0, 4.0, True),
        ("freeze", "on", True, False),
        ("freeze", 1.0, True, False),
        ("freeze", 0, False, False),
        ("seed", 3.0, 3, False),
        ("seed", 2**31, 2**31 - 1, True),
        ("seed", 2**53 + 1, 2**31 - 1, True),
    ],
)
def test_the_store_parses_and_clips(name, given, value, clipped):
    store = ParameterStore(PARAMETERS)
    assert store.set(name, given) == (value, clipped)
    assert store.values()[name] == value
    assert type(store.values()[name]) is type(value)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        *[("gain_db", given) for given in (math.nan, math.inf, "nan", "loud", "", True, None, b"1", [1.0], 10**400)],
        *[("seed", given) for given in (1.5, "1.5", False)],
        *[("freeze", given) for given in (2, "maybe", None, [], math.nan)],
        ("reset", "later"),
        ("gain_bd", 1.0),
    ],
)
def test_the_store_refuses_and_counts(name, given):
    store = ParameterStore(PARAMETERS)
    before = store.values()
    with pytest.raises(ConfigError):
        store.set(name, given)
    assert store.refused == 1
    assert store.values() == before


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'brightness'"):
        ParameterStore(PARAMETERS).set("brightnes", 1.0)


def test_start_values_are_refused_rather_than_clipped():
    with pytest.raises(ConfigError, match="from -60 to 40 dB, not 41"):
        ParameterStore(PARAMETERS, {"gain_db": 41})


def test_a_trigger_counts():
    store = ParameterStore(PARAMETERS)
    for given in (None, True, 1.0, False, 0):
        store.set("reset", given)
    assert store.values()["reset"] == 3


def test_a_snapshot_never_changes():
    store = ParameterStore(PARAMETERS)
    snapshot = store.values()
    store.set("gain_db", 6)
    assert snapshot["gain_db"] == 0.0
    with pytest.raises(TypeError):
        snapshot["gain_db"] = 1.0  # type: ignore[index]


def test_no_change_is_lost_between_threads():
    store = ParameterStore(PARAMETERS)
    threads = [threading.Thread(target=lambda: [store.set("reset", True) for _ in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.values()["reset"] == 2000


def test_a_model_may_not_take_the_engines_names():
    clash = replace(CARD, controls=(ControlSpec(name="seed", help="x", low=0, high=1, default=0),))
    with pytest.raises(ModelFileError, match="'seed', which is the engine's own"):
        parameters_for(clash)
    hidden = replace(CARD, controls=(ControlSpec(name="model", help="x", low=0, high=1, default=0),))
    with pytest.raises(ModelFileError, match="--model is a flag"):
        build_parser(parameters_for(hidden), "clash")


def test_views_agree():
    """Flags, keys, addresses and the page know the same parameters, and give the same sentence for the same mistake."""
    startable = settable(PARAMETERS)
    options = build_parser(PARAMETERS, CARD.name).format_help()
    page = reference([CARD])
    assert (
        set(ParameterStore(PARAMETERS).parameters)
        == {p.name for p in PARAMETERS}
        == {*startable, *(p.name for p in PARAMETERS if p.happens)}
    )
    server = OscServer(RemoteAccess(ParameterStore(PARAMETERS)), "127.0.0.1", 0)
    try:
        for parameter in PARAMETERS:
            assert (f"{flag(parameter.name)} " in options or f"{flag(parameter.name)}," in options) == (
                parameter.name in startable
            )
            assert f"| `{address(parameter.name)}` | {parameter.expected()} |" in page
            if parameter.name in startable:
                from tests.engine.control.remotes.test_osc import message

                assert server.answer(message(parameter.name)) == [(address(parameter.name), (parameter.default,))]
    finally:
        server.close()


def test_osc_page_is_up_to_date():
    assert (DOCS / "osc.md").read_text() == reference(shipped_cards()), (
        "write it again: python -m engine.app.osc_reference > docs/osc.md"
    )
    assert all(path.suffix == ".onnx" for path in MODELS.glob("*.onnx"))


def test_the_card_is_read_without_a_runtime(probe_file, tmp_path):
    assert read_card(probe_file) == CARD
    whole = probe_file.read_bytes()
    for size in (1, 10, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.onnx").write_bytes(whole[:size])
        with pytest.raises(ModelFileError):
            read_card(tmp_path / "cut.onnx")
    with pytest.raises(ModelFileError, match="There is no model file"):
        read_card(tmp_path / "none.onnx")
    assert TABLE[0].name == "gain_db"


def test_a_parameter_that_comes_back_gets_the_value_that_it_had():
    store = ParameterStore(PARAMETERS, {"gain": 3.0})
    store.replace_parameters([parameter for parameter in PARAMETERS if parameter.name != "gain"])
    assert "gain" not in store.values()
    with pytest.raises(ConfigError):
        store.set("gain", 1.0)
    store.replace_parameters(PARAMETERS)
    assert store.values()["gain"] == 3.0


def test_a_scene_out_of_range_is_refused_and_a_button_released_is_nothing() -> None:
    store = ParameterStore(PARAMETERS)
    for given in (0, 129, -1, 200):
        if given:
            with pytest.raises(ConfigError, match="from 1 to 128"):
                store.set("save_scene", given)
        else:
            assert store.set("save_scene", given) == (0, False)
    assert store.take_snapshot(0).events == ()
    store.set("scene", 128)
    assert store.take_snapshot(1).events == (("scene", 128),)


def test_a_parameter_with_choices_takes_their_names_and_numbers() -> None:
    source = Parameter(name="order", kind="int", help="", high=2, default=0, choices=("first", "second", "third"))
    assert source.parse("Second") == source.parse(1) == source.parse("1") == 1
    assert source.widget == "choice"
    with pytest.raises(ConfigError, match="order takes first, second, third or a number from 0 to 2, not 'fourth'"):
        source.parse("fourth")
