"""The order of the scenes and the playlist, in one file beside them. It may be written by hand:

order: [3, 1, 2]
playlist:
  - {scene: 3, bars: 16}
  - {scene: 1, seconds: 30, takes_part: false}
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

from engine.control.scenes.playlist import MOST_SCENES, UNITS, PlaylistEntry, Unit, check_entries
from engine.core.atomic_files import write_text
from engine.core.errors import ConfigError, nearest_name
from engine.core.small_files import check_file
from engine.core.structured import shortened, shown

NAME = "playlist.yaml"
LONGEST_BYTES = 1 << 16
_KEYS = ("order", "playlist")


@dataclass(frozen=True, slots=True)
class Order:
    """The order of the scenes, and the playlist."""

    numbers: tuple[int, ...] = ()
    """Scenes that are not named here come after these, by their numbers."""
    playlist: tuple[PlaylistEntry, ...] = ()


class ReadOrder(NamedTuple):
    """An order that was read, and the sentence about a damaged file; empty where it is sound or there is none."""

    order: Order
    trouble: str


def read_order(folder: Path) -> ReadOrder:
    """Read the file in the folder of the scenes. A damaged one is an empty order and a sentence."""
    from engine.core.yaml_reading import read_yaml

    path = folder / NAME
    try:
        return ReadOrder(_parse(read_yaml(path, LONGEST_BYTES)), "")
    except FileNotFoundError:
        return ReadOrder(Order(), "")
    except OSError as error:
        trouble = f"it cannot be read ({error.strerror})"
    except ConfigError as error:
        trouble = str(error).rstrip(".")
    except ValueError as error:
        trouble = f"it is not valid YAML ({error})"
    return ReadOrder(Order(), f"{path} is damaged: {trouble}; the playlist is empty until it is set again.")


def write_order(folder: Path, order: Order) -> None:
    """Write the file atomically. Raises ConfigError where that fails; the old one then stays as it was."""
    import yaml

    entries = [
        {
            "scene": entry.scene,
            entry.unit: int(entry.length) if entry.unit == "bars" else entry.length,
            **({} if entry.takes_part else {"takes_part": False}),
        }
        for entry in order.playlist
    ]
    content: dict[str, object] = {"order": list(order.numbers), "playlist": entries}
    path = folder / NAME
    try:
        if path.exists():
            # A pipe would wait for its reader.
            check_file(path)
        write_text(path, yaml.safe_dump(content, sort_keys=False, default_flow_style=None))
    except OSError as error:
        raise ConfigError(
            f"The playlist cannot be saved in {path} ({error.strerror}); free some space or choose another folder with --scenes."
        ) from error


def check_numbers(numbers: Any) -> tuple[int, ...]:
    """Return the numbers of an order. Raises ConfigError for anything but a list of different scene numbers."""
    if not isinstance(numbers, (list, tuple)) or len(cast(Sequence[Any], numbers)) > MOST_SCENES:
        raise ConfigError(
            f"The order is {shown(cast(object, numbers))}; a list of at most {MOST_SCENES} scene numbers was expected."
        )
    found: list[int] = []
    for number in cast(Sequence[Any], numbers):
        if type(number) is not int or not 1 <= number <= MOST_SCENES or number in found:
            raise ConfigError(
                f"The order names scene {shown(number)}; different whole numbers from 1 to {MOST_SCENES} were expected."
            )
        found.append(number)
    return tuple(found)


def _parse(content: Any) -> Order:
    if content is None:
        return Order()
    if not isinstance(content, dict):
        raise ConfigError(f"it holds {shown(content)} and no mapping of {' and '.join(_KEYS)}")
    for key in cast(dict[Any, Any], content):
        if key not in _KEYS:
            raise ConfigError(f"it has an unknown key '{shortened(key)}'.{nearest_name(str(key), _KEYS)}")
    given = cast(dict[str, Any], content)
    entries: Any = given.get("playlist") or []
    if not isinstance(entries, list):
        raise ConfigError(f"playlist is {shown(entries)}; a list of scenes was expected")
    playlist = check_entries([_entry(entry) for entry in cast(list[Any], entries)])
    return Order(check_numbers(given.get("order") or []), playlist)


def _entry(given: Any) -> PlaylistEntry:
    entry = cast(dict[Any, Any], given) if isinstance(given, dict) else {}
    units: list[Unit] = [unit for unit in UNITS if unit in entry]
    if len(units) != 1 or "scene" not in entry or not entry.keys() <= {"scene", "takes_part", *UNITS}:
        raise ConfigError(
            f"playlist has {shown(cast(object, given))}; an entry such as {{scene: 3, bars: 16}} was expected"
        )
    return PlaylistEntry(entry["scene"], entry[units[0]], units[0], entry.get("takes_part", True))
