"""The one table of knobs, its one door, and its views."""

from __future__ import annotations

import math
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from engine.command_line import build_parser, flag
from engine.config import settable
from engine.control_box import ControlBox
from engine.errors import ConfigError, ModelFileError
from engine.model_card import ControlSpec
from engine.model_file import read_card
from engine.parameter_table import TABLE, parameters_for
from engine.remotes.osc import OscServer
from engine.remotes.osc_addresses import address
from engine.remotes.osc_reference import MODELS, reference, shipped_cards
from tests.engine.probe_model import CARD

PARAMETERS = parameters_for(CARD)
DOCS = Path(__file__).parents[2] / "docs"


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
def test_the_door_parses_and_clips(name, given, value, clipped):
    box = ControlBox(PARAMETERS)
    assert box.set(name, given) == (value, clipped)
    assert box.snapshot()[name] == value
    assert type(box.snapshot()[name]) is type(value)


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
def test_the_door_refuses_and_counts(name, given):
    box = ControlBox(PARAMETERS)
    before = box.snapshot()
    with pytest.raises(ConfigError):
        box.set(name, given)
    assert box.refused == 1
    assert box.snapshot() == before


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'brightness'"):
        ControlBox(PARAMETERS).set("brightnes", 1.0)


def test_start_values_are_refused_rather_than_clipped():
    with pytest.raises(ConfigError, match="from -60 to 40 dB, not 41"):
        ControlBox(PARAMETERS, {"gain_db": 41})


def test_a_trigger_counts():
    box = ControlBox(PARAMETERS)
    for given in (None, True, 1.0, False, 0):
        box.set("reset", given)
    assert box.snapshot()["reset"] == 3


def test_a_snapshot_never_changes():
    box = ControlBox(PARAMETERS)
    snapshot = box.snapshot()
    box.set("gain_db", 6)
    assert snapshot["gain_db"] == 0.0
    with pytest.raises(TypeError):
        snapshot["gain_db"] = 1.0  # type: ignore[index]


def test_no_change_is_lost_between_threads():
    box = ControlBox(PARAMETERS)
    threads = [threading.Thread(target=lambda: [box.set("reset", True) for _ in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert box.snapshot()["reset"] == 2000


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
        set(ControlBox(PARAMETERS).parameters)
        == {p.name for p in PARAMETERS}
        == {*startable, *(p.name for p in PARAMETERS if p.happens)}
    )
    server = OscServer(ControlBox(PARAMETERS), "127.0.0.1", 0)
    try:
        for parameter in PARAMETERS:
            assert (f"{flag(parameter.name)} " in options or f"{flag(parameter.name)}," in options) == (
                parameter.name in startable
            )
            assert f"| `{address(parameter.name)}` | {parameter.expected()} |" in page
            if parameter.name in startable:
                from tests.engine.test_osc import message

                assert server.answer(message(parameter.name)) == [(address(parameter.name), (parameter.default,))]
    finally:
        server.close()


def test_osc_page_is_up_to_date():
    assert (DOCS / "osc.md").read_text() == reference(shipped_cards()), (
        "write it again: python -m engine.remotes.osc_reference > docs/osc.md"
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


def test_a_knob_that_comes_back_has_the_value_that_it_had():
    box = ControlBox(PARAMETERS, {"gain": 3.0})
    box.adopt([parameter for parameter in PARAMETERS if parameter.name != "gain"])
    assert "gain" not in box.snapshot()
    with pytest.raises(ConfigError):
        box.set("gain", 1.0)
    box.adopt(PARAMETERS)
    assert box.snapshot()["gain"] == 3.0


def test_a_scene_out_of_range_is_refused_and_a_button_let_go_is_nothing() -> None:
    box = ControlBox(PARAMETERS)
    for given in (0, 129, -1, 200):
        if given:
            with pytest.raises(ConfigError, match="from 1 to 128"):
                box.set("save_scene", given)
        else:
            assert box.set("save_scene", given) == (0, False)
    assert box.turn(0).events == ()
    box.set("scene", 128)
    assert box.turn(1).events == (("scene", 128),)
