"""One name for a parameter everywhere: command line, configuration, OSC, OSCQuery, web page and the generated page."""

from __future__ import annotations

import json
import re
from pathlib import Path

from engine.app.command_line import build_parser, flag
from engine.app.config import CONTROLS
from engine.app.config_reading import read_config_file, resolve
from engine.app.osc_reference import shipped_cards
from engine.app.parameter_reference import reference
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import parameters_for
from engine.control.remotes.osc_addresses import PREFIX
from engine.control.remotes.osc_inbox import Inbox
from engine.control.remotes.remote_access import RemoteAccess
from engine.control.telemetry import Telemetry
from engine.web.oscquery.namespace import namespace
from engine.web.page_messages import table
from tests.engine.app.shows import InventedClock
from tests.engine.model.probe_model import CARD

PAGE = Path(__file__).parents[3] / "docs" / "parameters.md"
PARAMETERS = parameters_for(CARD)
NAMES = {parameter.name for parameter in PARAMETERS}
START_VALUES = {parameter.name: parameter.default for parameter in PARAMETERS if not parameter.happens}


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == reference(shipped_cards()), (
        "write it again: python -m engine.app.parameter_reference > docs/parameters.md"
    )


def test_the_command_line_has_a_flag_for_each_start_value() -> None:
    flags = build_parser(PARAMETERS, CARD.name).format_help()
    assert {name for name in NAMES if re.search(rf"^  {flag(name)}\b", flags, re.MULTILINE)} == set(START_VALUES)


def test_a_configuration_takes_each_start_value(tmp_path: Path) -> None:
    path = tmp_path / "show.yaml"
    path.write_text(json.dumps({CONTROLS: START_VALUES}))
    assert resolve(read_config_file(path), {}, {}, PARAMETERS).config.controls == START_VALUES


def test_osc_answers_for_each_parameter_by_its_name() -> None:
    store = ParameterStore(PARAMETERS)
    inbox = Inbox(RemoteAccess(store), dict, InventedClock())
    sender = ("127.0.0.1", 9001)
    for name in START_VALUES:
        inbox.put(f"{PREFIX}{name}\0".encode().ljust((len(PREFIX + name) // 4 + 1) * 4, b"\0") + b",\0\0\0", sender)
        (_, (to, values)), *others = inbox.apply()
        assert (to, len(values), others) == (PREFIX + name, 1, [])


def test_oscquery_and_the_page_have_the_same_parameters() -> None:
    store = ParameterStore(PARAMETERS)
    tree = namespace("show", store.parameters, store.values(), Telemetry())
    fluid = tree["CONTENTS"][PREFIX.strip("/")]["CONTENTS"]
    assert set(fluid) - {"out"} == NAMES
    assert all(node["FULL_PATH"] == PREFIX + name for name, node in fluid.items() if name != "out")
    assert {one["name"] for one in json.loads(table(RemoteAccess(store), {}, {}))["parameters"]} == NAMES
