"""What a page may ask of a show beside its parameters: protocols, so that the server knows nothing of scenes and devices.

Everything that can be chosen has an `id` that the show gave out: no path and no file name comes from the network. Methods may take
as long as a disk takes and are called in a worker thread; they raise ConfigError with a sentence for the page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from engine.control.scenes.playlist import PlaylistEntry, PlaylistState
from engine.control.scenes.scene_library import SceneEntry
from engine.core.choice import Choice

__all__ = [
    "Choice",
    "MidiAssignment",
    "MidiControl",
    "PlaylistEntry",
    "PlaylistState",
    "SceneEntry",
    "ShowControl",
]


class ShowControl(Protocol):
    """Scenes, models, inputs and mappings of a running show."""

    def scenes(self) -> Sequence[SceneEntry]: ...

    def rename_scene(self, number: int, name: str) -> None: ...

    def order_scenes(self, numbers: Sequence[int]) -> None: ...

    def delete_scene(self, number: int) -> None: ...

    def playlist(self) -> PlaylistState: ...

    def set_playlist(self, entries: Sequence[PlaylistEntry]) -> None: ...

    def models(self) -> Sequence[Choice]: ...

    def play_model(self, id: str) -> None: ...

    def inputs(self) -> Sequence[Choice]: ...

    def play_input(self, id: str) -> None: ...

    def mappings(self) -> Mapping[str, str]: ...

    def check_mapping(self, parameter: str, expression: str) -> None:
        """Raise ConfigError with what is wrong with an expression."""
        ...

    def set_mapping(self, parameter: str, expression: str) -> None:
        """Drive a parameter by an expression from the next hop on; an empty one leaves the parameter alone."""
        ...


@dataclass(frozen=True, slots=True)
class MidiAssignment:
    """What moves a parameter, in words, e.g. "nano: control 21, channel 1"."""

    id: str
    sender: str
    parameter: str


class MidiControl(Protocol):
    """MIDI learn of a running show."""

    def ports(self) -> Mapping[str, bool]:
        """Return the ports by name, and whether each is open."""
        ...

    def assignments(self) -> Sequence[MidiAssignment]: ...

    @property
    def learning(self) -> str:
        """The parameter that the next control moved will drive; empty while none is learnt."""
        ...

    def learn(self, parameter: str) -> None: ...

    def cancel_learning(self) -> None: ...

    def forget(self, id: str) -> None: ...
