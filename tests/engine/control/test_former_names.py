"""Names of the version before work in every way into a show, and each costs one notice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.app.command_line import ParsedCommand, parse_command
from engine.audio.features.audio_features import AudioFeatures
from engine.control.former_names import renamed
from engine.control.modulation.expression import FORMER_VARIABLES, NAMES
from engine.control.modulation.modulator import Modulator
from engine.control.parameter import Value
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import TABLE, ShowValues, parameters_for
from engine.control.remotes.osc import OscServer
from engine.control.remotes.remote_access import RemoteAccess
from engine.control.scenes.scene_files import Scene
from tests.engine.control.remotes.test_osc import message
from tests.engine.control.scenes.test_scene_controller import Show
from tests.engine.model.probe_model import CARD

PARAMETERS = parameters_for(CARD)
RENAMED = [(former, parameter.name) for parameter in TABLE for former in parameter.former_names]
HIT_ZOOM = "hit_zoom is now called onset_zoom; the old name works until the next version."
HIT = "hit is now called onset; the old name works until the next version."


def parsed(*arguments: str) -> ParsedCommand:
    order = parse_command(arguments)
    assert isinstance(order, ParsedCommand)
    return order


def test_no_former_name_is_a_name_of_now() -> None:
    now = {parameter.name for parameter in PARAMETERS}
    assert RENAMED
    assert now.isdisjoint(former for former, _ in RENAMED)
    assert FORMER_VARIABLES.keys().isdisjoint(NAMES)
    assert set(FORMER_VARIABLES.values()) <= set(NAMES)


@pytest.mark.parametrize(("former", "now"), RENAMED)
def test_the_store_knows_it_and_tells_once(former: str, now: str) -> None:
    lines: list[str] = []
    store = ParameterStore(PARAMETERS, notify=lines.append)
    high = store.parameters[now].high
    for _ in range(3):
        assert store.set(former, high) == (high, False)
    assert store.values()[now] == high
    assert former not in store.values()
    assert store.find(former) is store.find(now)
    assert lines == [renamed(former, now)]


def test_in_flags(probe_file: Path) -> None:
    resolved = parsed("--model", str(probe_file), "--hit-zoom", "0.2", "--map", "hit-glow=hit").resolved
    assert resolved.config.controls == {"onset_zoom": 0.2}
    assert resolved.config.mappings == {"onset_glow": "hit"}
    assert resolved.notices == (HIT_ZOOM, renamed("hit_glow", "onset_glow"))
    assert parsed("--model", str(probe_file), "--onset-zoom", "0.2").resolved.notices == ()


def test_in_yaml_where_flags_of_the_new_name_override_it(probe_file: Path, tmp_path: Path) -> None:
    file = tmp_path / "show.yaml"
    file.write_text(
        "controls: {hit_zoom: 0.3, hit_decay_ms: 90}\nmappings: {hit_zoom: hits}\nmidi_knobs: {7: hit_zoom}\n"
    )
    resolved = parsed("--model", str(probe_file), "--config", str(file), "--onset-zoom", "0.1").resolved
    assert resolved.config.controls == {"onset_zoom": 0.1, "onset_decay_ms": 90.0}
    assert resolved.config.mappings == {"onset_zoom": "hits"}
    assert resolved.config.midi_parameters == {7: "onset_zoom"}
    moved = "midi_knobs is now called midi_parameters; the old name works until the next version."
    assert resolved.notices == (moved, HIT_ZOOM, renamed("hit_decay_ms", "onset_decay_ms"))


def test_in_osc_addresses() -> None:
    lines: list[str] = []
    store = ParameterStore(PARAMETERS, notify=lines.append)
    server = OscServer(RemoteAccess(store), "127.0.0.1", 0)
    try:
        assert server.answer(message("hit_zoom", 0.5)) == []
        assert store.values()["onset_zoom"] == 0.5
        # A remote finds the answer where it asked.
        assert server.answer(message("hit_zoom")) == [("/fluid/hit_zoom", (0.5,))]
        assert server.counts.refused == 0
    finally:
        server.close()
    assert lines == [HIT_ZOOM]


def test_in_expressions() -> None:
    lines: list[str] = []
    given: dict[str, Value] = {p.name: p.default for p in TABLE if p.kind != "event"}
    modulator = Modulator(TABLE, {"glow": "0.1 * hit", "zoom": "1 + hit + hits", "hit_zoom": "0.5"}, lines.append)
    features = AudioFeatures(onsets=2, onset_strength=1.0, onset_age_s=0.0)
    values = modulator.values(given, features, np.zeros(0, np.float32), 0.0)
    assert (values["glow"], values["zoom"], values["onset_zoom"]) == (0.1, 4.0, 0.5)
    assert lines == [HIT_ZOOM, HIT, renamed("hits", "onsets")]


def test_in_scenes(probe_file: Path, tmp_path: Path) -> None:
    show = Show(probe_file, tmp_path / "scenes")
    show.scenes.save(Scene(number=3, values={"hit_zoom": 0.25}))
    for _ in range(2):
        show.store.set("scene", 3)
        show.play_on(2)
    assert show.store.values()["onset_zoom"] == 0.25
    assert show.recalled == ["Scene 3 is recalled."] * 2
    # And a saved scene has the names of now.
    show.store.set("save_scene", 4)
    show.play_on(2)
    saved = show.scenes.load(4).scene.values
    assert "onset_zoom" in saved
    assert "hit_zoom" not in saved


def test_typed_values_read_the_mapping_and_the_defaults_of_the_table() -> None:
    for parameter in TABLE:
        assert getattr(ShowValues, parameter.name) is parameter
        assert getattr(ShowValues({}), parameter.name) == parameter.default
        assert getattr(ShowValues({parameter.name: 5}), parameter.name) == 5
    with pytest.raises(AttributeError):
        ShowValues({}).zoom = 2.0  # type: ignore[misc]
