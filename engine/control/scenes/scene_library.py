"""The scenes as a person sees them: named, in an order that was chosen, with a playlist. For remotes with a screen.

Any thread but the step's may call; a call takes as long as the disk, and at most the limit of AnsweredCalls.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from engine.control.scenes.playlist import PlaylistEntry, check_entries
from engine.control.scenes.playlist_file import Order, check_numbers, read_order, write_order
from engine.control.scenes.scene_files import Scenes
from engine.core.answered_calls import AnsweredCalls
from engine.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class SceneEntry:
    """A scene in its place in the order that was chosen."""

    number: int
    name: str
    model: str
    """Name of its model; empty where the playing one stays."""


class _Known(NamedTuple):
    """A scene file that was read; a file with another stamp is read again."""

    stamp: tuple[int, int]
    name: str
    model: str
    """Path of its model."""


class SceneLibrary:
    """Lists, renames, orders and deletes the scenes of a folder, and keeps its playlist."""

    def __init__(
        self, scenes: Scenes, notify: Callable[[str], None] = print, disk: AnsweredCalls | None = None
    ) -> None:
        self._scenes = scenes
        self._notify = notify
        self._disk = disk or AnsweredCalls(f"the disk of {scenes.folder}")
        self._order_lock = threading.Lock()
        self._known: dict[int, _Known] = {}
        self._told = ""

    def entries(self) -> tuple[SceneEntry, ...]:
        """Return the scenes in their order; a damaged one has the name "damaged". Raises ConfigError."""
        return self._disk.run("list of scenes", self._entries)

    def models(self) -> tuple[str, ...]:
        """Return the paths of the models that scenes name. Raises ConfigError."""

        def models() -> tuple[str, ...]:
            self._entries()
            return tuple(dict.fromkeys(known.model for known in list(self._known.values()) if known.model))

        return self._disk.run("list of the scenes' models", models)

    def rename(self, number: int, name: str) -> None:
        """Give a scene another name. Raises ConfigError."""
        self._disk.run(f"renaming of scene {number}", lambda: self._scenes.rename(number, name))

    def order(self, numbers: Sequence[int]) -> None:
        """Put the scenes in this order; those that are not named come last. Raises ConfigError."""
        checked = check_numbers(numbers)
        self._disk.run("ordering of the scenes", lambda: self._change(lambda order: replace(order, numbers=checked)))

    def delete(self, number: int) -> tuple[PlaylistEntry, ...]:
        """Move a scene to the deleted ones, and return the playlist without it. Raises ConfigError."""

        def without(order: Order) -> Order:
            return Order(
                tuple(one for one in order.numbers if one != number),
                tuple(entry for entry in order.playlist if entry.scene != number),
            )

        def delete() -> tuple[PlaylistEntry, ...]:
            self._scenes.delete(number)
            return self._change(without).playlist

        return self._disk.run(f"deleting of scene {number}", delete)

    def playlist(self) -> tuple[PlaylistEntry, ...]:
        """Return the playlist of the folder. Raises ConfigError where the disk does not answer."""
        return self._disk.run("reading of the playlist", self._order).playlist

    def set_playlist(self, entries: Sequence[PlaylistEntry]) -> None:
        """Keep another playlist. Raises ConfigError."""
        checked = check_entries(entries)
        self._disk.run("saving of the playlist", lambda: self._change(lambda order: replace(order, playlist=checked)))

    def _entries(self) -> tuple[SceneEntry, ...]:
        numbers = self._scenes.ordered()
        known = {number: self._read(number) for number in numbers}
        self._known = known
        return tuple(SceneEntry(number, known[number].name, Path(known[number].model).stem) for number in numbers)

    def _read(self, number: int) -> _Known:
        """Return name and model of a scene, from its file where that has changed."""
        path = self._scenes.path(number)
        try:
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            before = self._known.get(number)
            if before and before.stamp == stamp:
                return before
            content = self._scenes.read(number)
        except (OSError, ConfigError):
            return _Known((0, 0), "damaged", "")
        model = content.get("model") or ""
        return _Known(stamp, content.get("name") or "", str(self._scenes.folder / model) if model else "")

    def _order(self) -> Order:
        order, trouble = read_order(self._scenes.folder)
        if trouble != self._told:
            self._told = trouble
            if trouble:
                self._notify(trouble)
        return order

    def _change(self, change: Callable[[Order], Order]) -> Order:
        """Change the file of the order; two changes at a time follow each other."""
        with self._order_lock:
            changed = change(self._order())
            write_order(self._scenes.folder, changed)
            return changed
