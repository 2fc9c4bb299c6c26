"""Scenes by name and in order: real files, a disk that refuses, and one that hangs."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest

from engine.control.scenes.playlist import PlaylistEntry
from engine.control.scenes.playlist_file import NAME
from engine.control.scenes.scene_files import DELETED, LONGEST_NAME, MOST_DELETED, Scene, Scenes
from engine.control.scenes.scene_library import SceneEntry, SceneLibrary
from engine.core.answered_calls import AnsweredCalls
from engine.core.errors import ConfigError

STATE = {"memory": np.array([0.25, -1.0], np.float32)}


class Shelf:
    """A library of real files, and what it told."""

    def __init__(self, folder: Path, within_s: float = 10.0) -> None:
        self.scenes = Scenes(folder)
        self.told: list[str] = []
        self.library = SceneLibrary(self.scenes, self.told.append, AnsweredCalls("the disk of scenes", within_s))

    def save(self, *numbers: int, model: str = "") -> None:
        for number in numbers:
            self.scenes.save(
                Scene(number=number, name=f"water {number}", model=model, values={"glow": 0.5}, state=STATE)
            )

    @property
    def numbers(self) -> list[int]:
        return [entry.number for entry in self.library.entries()]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "scenes")


def test_scenes_are_listed_with_name_and_model_in_the_order_that_was_chosen(shelf: Shelf, tmp_path: Path) -> None:
    assert shelf.library.entries() == ()
    shelf.save(1, 2, 12)
    shelf.save(7, model=str(tmp_path / "models" / "fire.onnx"))
    assert shelf.library.entries()[2] == SceneEntry(7, "water 7", "fire")
    shelf.library.order([12, 99, 1])
    assert shelf.numbers == [12, 1, 2, 7]
    shelf.save(3)
    assert shelf.numbers == [12, 1, 2, 3, 7]
    assert [Path(path).resolve() for path in shelf.library.models()] == [tmp_path / "models" / "fire.onnx"]


def test_a_scene_keeps_its_new_name_when_it_is_saved_again_and_everything_else_when_it_is_renamed(shelf: Shelf) -> None:
    shelf.save(1)
    shelf.library.rename(1, "  the quiet one ")
    loaded = shelf.scenes.load(1)
    assert (loaded.scene.name, loaded.scene.values, loaded.notices) == ("the quiet one", {"glow": 0.5}, ())
    assert loaded.scene.state is not None
    shelf.save(1)
    assert shelf.library.entries()[0].name == "the quiet one"
    shelf.library.rename(1, "")
    assert shelf.library.entries()[0].name == ""
    shelf.save(1)
    assert shelf.library.entries()[0].name == "water 1"


@pytest.mark.parametrize("name", ["x" * (LONGEST_NAME + 1), "two\nlines", "\x1b[2J", "turned \u202e round"])
def test_what_is_no_name_is_refused(shelf: Shelf, name: str) -> None:
    shelf.save(1)
    with pytest.raises(ConfigError, match="is no name for a scene"):
        shelf.library.rename(1, name)
    assert shelf.library.entries()[0].name == "water 1"


def test_a_deleted_scene_leaves_order_and_playlist_and_can_be_put_back(shelf: Shelf) -> None:
    shelf.save(1, 2)
    shelf.library.order([2, 1])
    shelf.library.set_playlist([PlaylistEntry(2, 4, "bars"), PlaylistEntry(1, 4, "bars")])
    assert shelf.library.delete(2) == (PlaylistEntry(1, 4, "bars"),)
    assert (shelf.numbers, shelf.library.playlist()) == ([1], (PlaylistEntry(1, 4, "bars"),))
    with pytest.raises(ConfigError, match="There is no scene 2"):
        shelf.library.delete(2)
    folder = shelf.scenes.folder
    for name in ("02.yaml", "02.npz"):
        (folder / DELETED / f"000001-{name}").rename(folder / name)
    scene, notices = shelf.scenes.load(2)
    assert (scene.name, notices) == ("water 2", ())
    assert scene.state is not None


def test_the_newest_deleted_scenes_are_kept(shelf: Shelf) -> None:
    for _ in range(MOST_DELETED + 5):
        shelf.save(4)
        shelf.library.delete(4)
    kept = sorted(path.name for path in (shelf.scenes.folder / DELETED).iterdir())
    assert len(kept) == 2 * MOST_DELETED
    assert kept[0] == "000006-04.npz"
    assert kept[-1] == f"{MOST_DELETED + 5:06}-04.yaml"


def test_a_damaged_scene_is_listed_and_can_be_deleted(shelf: Shelf) -> None:
    shelf.save(1)
    shelf.scenes.path(2).write_text("name: [")
    os.mkfifo(shelf.scenes.path(3))
    assert [entry.name for entry in shelf.library.entries()] == ["water 1", "damaged", "damaged"]
    with pytest.raises(ConfigError, match="Scene 2 is damaged"):
        shelf.library.rename(2, "whole")
    shelf.library.delete(2)
    shelf.library.delete(3)
    assert shelf.numbers == [1]


def test_a_damaged_playlist_is_told_once_and_replaced_when_it_is_set(shelf: Shelf) -> None:
    shelf.save(1)
    (shelf.scenes.folder / NAME).write_text("playlist: 3")
    assert shelf.library.playlist() == shelf.library.playlist() == ()
    assert len(shelf.told) == 1
    shelf.library.set_playlist([PlaylistEntry(1, 4, "bars")])
    assert len(shelf.library.playlist()) == 1
    assert shelf.numbers == [1]


def test_a_disk_that_refuses_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "scenes").write_text("a file in the place of the folder")
    shelf = Shelf(tmp_path / "scenes")
    with pytest.raises(ConfigError, match=r"The playlist cannot be saved in .*choose another folder with --scenes"):
        shelf.library.set_playlist([PlaylistEntry(1, 4, "bars")])
    assert shelf.library.entries() == ()


def test_a_disk_that_hangs_costs_the_caller_a_sentence(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "scenes", within_s=0.05)
    shelf.save(1)
    answers = threading.Event()

    class HangingScenes(Scenes):
        def numbers(self) -> tuple[int, ...]:
            assert answers.wait(60.0)
            return super().numbers()

    library = SceneLibrary(HangingScenes(shelf.scenes.folder), print, AnsweredCalls("the disk of scenes", 0.05))
    with pytest.raises(ConfigError, match="The disk of scenes does not answer: list of scenes takes longer"):
        library.entries()
    answers.set()


def test_a_save_and_a_new_name_at_the_same_time_leave_a_whole_scene(shelf: Shelf) -> None:
    shelf.save(1)
    others = [threading.Thread(target=shelf.save, args=[1]) for _ in range(3)]
    for other in others:
        other.start()
    for number in range(20):
        shelf.library.rename(1, f"name {number}!")
    for other in others:
        other.join(30.0)
    scene, notices = shelf.scenes.load(1)
    assert (scene.name, notices) == ("name 19!", ())
    assert scene.state is not None
