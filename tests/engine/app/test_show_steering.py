"""What a page steers of a whole show beside parameters, called from another thread as the server does."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from engine.control.scenes.playlist_file import NAME
from engine.core.errors import ConfigError
from engine.web.show_control import PlaylistEntry
from tests.engine.app.live_shows import show_of
from tests.engine.model.probe_model import CARD, write_probe
from tests.engine.model.switchers import write_wide
from tests.fixtures_display import wait_until


@pytest.fixture
def models(tmp_path: Path, probe_file: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    shutil.copy(probe_file, folder / "probe.onnx")
    write_wide(folder)
    write_probe(folder / "slow.onnx", replace(CARD, hop_samples=2 * CARD.hop_samples))
    return folder


def test_scenes_are_named_ordered_deleted_and_played_in_turn(tmp_path: Path, probe_file: Path) -> None:
    with show_of(tmp_path, probe_file, "--source", "demo", "--crossfade-s", "0") as show:
        for number in (1, 2, 3):
            show.store.set("zoom", 1.0 + 0.5 * number)
            show.store.set("save_scene", number)
            wait_until(lambda number=number: len(show.control.scenes()) == number, "a scene")
        show.control.rename_scene(2, "the quiet one")
        show.control.order_scenes([2, 3])
        assert [(scene.number, scene.name) for scene in show.control.scenes()] == [
            (2, "the quiet one"),
            (3, "probe 3"),
            (1, "probe 1"),
        ]
        show.store.set("scene", 3)
        wait_until(lambda: show.scene == 3, "scene 3")
        show.store.set("next_scene", True)
        wait_until(lambda: show.scene == 1, "the next scene in the order")
        show.control.set_playlist([PlaylistEntry(2, 0.5, "seconds"), PlaylistEntry(3, 1, "bars")])
        show.store.set("playlist", True)
        wait_until(lambda: show.scene == 2, "the first entry")
        assert show.control.playlist().position == 0
        wait_until(lambda: show.scene == 3, "the second entry")
        show.control.delete_scene(3)
        assert len(show.control.playlist().entries) == 1
        assert (tmp_path / "scenes" / NAME).read_text().splitlines()[0] == "order: [2]"
        with pytest.raises(ConfigError, match="There is no scene 3"):
            show.control.rename_scene(3, "gone")


def test_a_playlist_is_there_again_in_the_next_show(tmp_path: Path, probe_file: Path) -> None:
    entries = (PlaylistEntry(2, 4, "bars"), PlaylistEntry(1, 30.0, "seconds", False))
    with show_of(tmp_path, probe_file, "--source", "demo") as show:
        show.control.set_playlist(entries)
    with show_of(tmp_path, probe_file, "--source", "demo") as show:
        assert show.control.playlist().entries == entries
    (tmp_path / "scenes" / NAME).write_text("playlist: [")
    with show_of(tmp_path, probe_file, "--source", "demo") as show:
        assert show.control.playlist().entries == ()
        wait_until(lambda: any("the playlist is empty until it is set again" in line for line in show.told), "a line")


def test_another_model_plays_and_one_that_does_not_fit_is_refused(tmp_path: Path, models: Path) -> None:
    flags = ("--source", "demo", "--models", str(models), "--crossfade-s", "0")
    with show_of(tmp_path, models / "probe.onnx", *flags) as show:
        choices = {choice.name + choice.detail[-9:]: choice for choice in show.control.models()}
        wide, slow = choices["widewide.onnx"], choices["probeslow.onnx"]
        show.control.play_model(wide.id)
        assert {choice.name for choice in show.control.models() if choice.plays} == {"wide"}
        with pytest.raises(ConfigError, match="takes a step every") as refused:
            show.control.play_model(slow.id)
        assert str(refused.value) == slow.problem
        with pytest.raises(ConfigError, match="no such model"):
            show.control.play_model("no such id")
        assert "strength" in show.store.parameters


def test_a_model_that_fails_when_it_is_opened_is_a_sentence_for_the_page(tmp_path: Path, models: Path) -> None:
    # The card is whole, and what follows is not.
    content = bytearray((models / "wide.onnx").read_bytes())
    content[200] ^= 255
    (models / "wide.onnx").write_bytes(content)
    with show_of(tmp_path, models / "probe.onnx", "--source", "demo", "--models", str(models)) as show:
        wide = next(choice for choice in show.control.models() if choice.detail.endswith("wide.onnx"))
        assert wide.problem == ""
        with pytest.raises(ConfigError, match="probe keeps playing"):
            show.control.play_model(wide.id)
        assert {choice.name for choice in show.control.models() if choice.plays} == {"probe"}


def test_models_that_scenes_name_are_in_the_list(tmp_path: Path, models: Path, probe_file: Path) -> None:
    (tmp_path / "scenes").mkdir()
    (tmp_path / "scenes" / "01.yaml").write_text("model: ../models/wide.onnx\n")
    with show_of(tmp_path, probe_file, "--source", "demo") as show:
        assert "wide" in {choice.name for choice in show.control.models()}


def test_a_mapping_is_checked_and_drives_its_parameter(tmp_path: Path, probe_file: Path) -> None:
    with show_of(tmp_path, probe_file, "--source", "demo") as show:
        show.control.check_mapping("zoom", "1 + onset")
        show.control.check_mapping("zoom", "")
        for parameter, expression, says in (
            ("zoom", "1 + onsett", "Did you mean 'onset'"),
            ("zoom", "__import__('os')", "The mapping of zoom"),
            ("zooom", "1", "Did you mean 'zoom'"),
            ("flash_guard", "1", "switched by hand alone"),
        ):
            with pytest.raises(ConfigError) as refused:
                show.control.check_mapping(parameter, expression)
            assert says in str(refused.value)
            with pytest.raises(ConfigError):
                show.control.set_mapping(parameter, expression)
        show.control.set_mapping("zoom", " 1.25 ")
        assert show.control.mappings() == {"zoom": "1.25"}
        show.control.set_mapping("zoom", "")
        assert show.control.mappings() == {}
        show.wait_for_hops(2)
    lines = [json.loads(line) for line in (tmp_path / "take" / "log.jsonl").read_text().splitlines()]
    events = [event for line in lines for event in line.get("show_events", ())]
    assert [event["expression"] for event in events if event["kind"] == "mapping"] == ["1.25", ""]


def test_what_is_locked_against_remotes_is_not_steered_by_another_way(tmp_path: Path, models: Path) -> None:
    locked = [part for name in ("zoom", "save_scene", "scene") for part in ("--remote-lock", name)]
    with show_of(tmp_path, models / "probe.onnx", "--source", "demo", "--models", str(models), *locked) as show:
        wide = next(choice for choice in show.control.models() if choice.name == "wide")
        for steer in (
            lambda: show.control.set_mapping("zoom", "2"),
            lambda: show.control.rename_scene(1, "another"),
            lambda: show.control.order_scenes([1]),
            lambda: show.control.delete_scene(1),
            lambda: show.control.set_playlist([]),
            lambda: show.control.play_model(wide.id),
        ):
            with pytest.raises(ConfigError, match="is locked against remotes"):
                steer()
        assert show.control.mappings() == {}
        show.control.set_mapping("hit_glow", "1")
        assert show.control.mappings() == {"onset_glow": "1"}
