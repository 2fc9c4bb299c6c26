"""The show controller at each hop: the playlist with quantise, hands in the same hop, and requests of other threads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.audio.features.audio_features import SILENCE
from engine.control.scenes.playlist import PlaylistEntry
from engine.control.scenes.playlist_file import Order, write_order
from engine.control.scenes.scene_controller import SceneController
from engine.control.scenes.scene_files import Scene, Scenes
from engine.control.scenes.show_controller import MOST_ASKED, ShowController
from engine.core.errors import ConfigError
from tests.engine.model.probe_model import CARD
from tests.engine.model.switchers import OPEN_WITHIN_S, Stage, window

BPM = 120.0
HOPS_A_BAR = round(4 * 60.0 / BPM / CARD.hop_s)


class Show(Stage):
    """A stage with a show controller and three scenes, hop after hop at 120 bpm."""

    def __init__(self, model: Path, folder: Path, **values: object) -> None:
        super().__init__(model, True, **values)
        scenes = Scenes(folder)
        for number in (1, 2, 3):
            scenes.save(Scene(number=number, values={"zoom": 1.0 + number / 10}))
        write_order(folder, Order((3, 2, 1)))
        self.driven: list[tuple[str, str, bool]] = []
        self.scenes = SceneController(
            scenes, self.switcher, self.store, glide=lambda seconds: None, notify=self.told.append
        )
        self.controller = ShowController(self.scenes, lambda *mapping: self.driven.append(mapping), self.told.append)
        self.hop = 0
        self.recalled: list[tuple[int, int]] = []
        """The hop from which a scene plays, and its number."""

    def play_on(self, hops: int) -> None:
        for _ in range(hops):
            snapshot = self.store.take_snapshot(self.hop)
            self.switcher.step(window(self.hop), snapshot.values, self.hop)
            self.hop += 1
            time_s = self.hop * CARD.hop_s
            # As the step loop gives them: a hop ahead.
            beats = (time_s + CARD.hop_s) * BPM / 60.0
            features = replace(SILENCE, beats=beats, tempo_bpm=BPM)
            before = self.scenes.number
            self.controller.attend(snapshot, time_s, time_s, features)
            if self.scenes.number != before:
                self.recalled.append((self.hop, self.scenes.number))
            assert self.scenes.wait(OPEN_WITHIN_S)

    @property
    def numbers(self) -> list[int]:
        return [number for _, number in self.recalled]


def assert_about(show: Show, hops: list[int]) -> None:
    """Scenes begin at these hops, or one later where the disk took its time."""
    late = [begun - hop for (begun, _), hop in zip(show.recalled, hops, strict=True)]
    assert all(0 <= hops_late <= 1 for hops_late in late), late


@pytest.fixture
def show(probe_file: Path, tmp_path: Path) -> Show:
    return Show(probe_file, tmp_path / "scenes")


def test_bars_end_on_their_line_and_seconds_wait_for_what_quantise_names(show: Show) -> None:
    show.controller.replace_playlist((PlaylistEntry(1, 1, "bars"), PlaylistEntry(2, 0.5, "seconds")))
    show.store.set("quantise", "bar")
    show.store.set("playlist", True)
    show.play_on(4 * HOPS_A_BAR - 10)
    assert show.numbers == [1, 2, 1]
    # A scene whose bars are over has its file read in the hop of the line, and may come one later.
    assert_about(show, [HOPS_A_BAR - 1, 2 * HOPS_A_BAR - 1, 3 * HOPS_A_BAR - 1])


def test_without_quantise_seconds_end_at_once(show: Show) -> None:
    show.controller.replace_playlist((PlaylistEntry(1, 1.0, "seconds"), PlaylistEntry(2, 1.0, "seconds")))
    show.store.set("playlist", True)
    show.play_on(45)
    assert show.numbers == [1, 2, 1]
    assert_about(show, [1, 21, 41])


def test_the_next_scene_follows_the_order_and_a_hand_in_the_same_hop(show: Show) -> None:
    for presses in (1, 2, 1):
        for _ in range(presses):
            show.store.set("next_scene", True)
        show.play_on(5)
    assert show.numbers == [3, 1, 3]
    show.store.set("scene", 2)
    show.store.set("next_scene", True)
    show.play_on(6)
    assert show.numbers[-1] == 1
    show.store.set("next_scene", True)
    show.store.set("scene", 2)
    show.play_on(6)
    assert show.numbers[-1] == 2


def test_the_same_in_a_playlist(show: Show) -> None:
    show.controller.replace_playlist(tuple(PlaylistEntry(number, 60.0, "seconds") for number in (1, 2, 3)))
    show.store.set("playlist", True)
    show.play_on(5)
    show.store.set("scene", 2)
    show.store.set("next_scene", True)
    show.play_on(6)
    assert (show.numbers[-1], show.controller.playlist.position) == (3, 2)


def test_what_was_asked_for_is_done_at_the_end_of_the_hop_and_a_mistake_is_told(show: Show) -> None:
    done: list[int] = []

    def fail() -> None:
        raise ConfigError("The mapping is wrong.")

    show.controller.ask(lambda: done.append(1))
    show.controller.ask(fail)
    show.controller.ask(lambda: show.controller.drive("zoom", "1 + onset"))
    # Asked for meanwhile, so for the next hop.
    show.controller.ask(lambda: show.controller.ask(lambda: done.append(2)))
    assert done == []
    show.play_on(1)
    assert done == [1]
    assert show.driven == [("zoom", "1 + onset", False)]
    assert show.told == ["The mapping is wrong. The show goes on as it is."]
    show.play_on(1)
    assert done == [1, 2]
    # It belongs to the hop after that in which it was asked for.
    assert [event["kind"] for event in show.controller.show_events()] == []


def test_a_flood_of_requests_is_refused(show: Show) -> None:
    for _ in range(MOST_ASKED):
        show.controller.ask(lambda: None)
    with pytest.raises(ConfigError, match=f"{MOST_ASKED} changes wait"):
        show.controller.ask(lambda: None)
    show.play_on(1)
    show.controller.ask(lambda: None)


def test_a_mapping_of_a_take_may_drive_what_the_model_lacks(show: Show) -> None:
    show.controller.repeat({"kind": "mapping", "parameter": "strength", "expression": "1"})
    assert show.driven == [("strength", "1", True)]
