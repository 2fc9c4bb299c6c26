"""Scenes: a model, the values of parameters and the model's state, saved under a number in a folder.

    03.yaml     name, model and its checksum, values of parameters, checksum of the state
    03.npz      the state; optional
    deleted/    scenes that were deleted, the newest of them

The .yaml may be written by hand and needs no more than `values` or `model`. Both files are written atomically, the state first,
and the checksum says whether they belong together. Nothing is pickled and nothing in a file is executed.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

from engine.control.parameter import Value
from engine.control.scenes.playlist import MOST_SCENES
from engine.control.scenes.playlist_file import read_order
from engine.core.array_files import parse_arrays
from engine.core.atomic_files import write_bytes
from engine.core.errors import ConfigError, nearest_name
from engine.core.printable import printable
from engine.core.small_files import check_file, read_bytes
from engine.core.structured import shortened, shown
from engine.model.session import Snapshot
from engine.model.shipped import shipped_models

LONGEST_YAML_BYTES = 1 << 16
LARGEST_STATE_BYTES = 256 << 20
MOST_LISTED = 50
LONGEST_NAME = 80
DELETED = "deleted"
MOST_DELETED = 20
"""Deleted scenes that are kept."""
_KEYS = ("name", "model", "model_sha256", "values", "state_sha256")
_NUMBER = re.compile(r"[0-9]{2,9}")
_DELETED_NAME = re.compile(r"([0-9]{6})-[0-9]{2,9}\.(?:yaml|npz)")
_TEXTS = ("name", "model", "model_sha256", "state_sha256")
# A state may have any name, also one that numpy's own arguments have.
_PREFIX = "state_"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """One scene."""

    number: int
    name: str = ""
    model: str = ""
    """Path of the model file; empty: the playing model stays."""
    model_sha256: str = ""
    """Checksum of its graph; the state fits no other."""
    values: Mapping[str, object] = field(default_factory=dict[str, Value])
    state: Snapshot | None = None


class Loaded(NamedTuple):
    """A scene, and a sentence for each part that could not be read."""

    scene: Scene
    notices: tuple[str, ...]


class Scenes:
    """A folder of scenes. The first save creates it."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder).absolute()
        # A save, a new name and a deletion of one scene must not come between each other's files.
        self._lock = threading.Lock()

    def path(self, number: int) -> Path:
        return self.folder / f"{number:02}.yaml"

    def numbers(self) -> tuple[int, ...]:
        """Return the numbers of all scenes, in order."""
        try:
            found = [path.stem for path in self.folder.glob("*.yaml")]
        except OSError:
            return ()
        return tuple(sorted(int(stem) for stem in found if _NUMBER.fullmatch(stem) and stem == f"{int(stem):02}"))

    def ordered(self) -> tuple[int, ...]:
        """Return the numbers of all scenes that can be recalled, in the order that was chosen."""
        there = [number for number in self.numbers() if number <= MOST_SCENES]
        first = [number for number in read_order(self.folder).order.numbers if number in there]
        return (*first, *(number for number in there if number not in first))

    def save(self, scene: Scene) -> Path:
        """Write a scene and return its path. Raises ConfigError where that fails; the old files then stay as they were."""
        with self._lock:
            return self._save(scene)

    def rename(self, number: int, name: str) -> None:
        """Give a scene another name. Raises ConfigError for a name that is none, a scene that is not there, and a disk that refuses."""
        name = name.strip()
        if len(name) > LONGEST_NAME or printable(name) != name:
            raise ConfigError(
                f"'{shortened(printable(name))}' is no name for a scene; at most {LONGEST_NAME} characters in one line were expected."
            )
        with self._lock:
            content = self.read(number)
            try:
                _write_yaml(self.path(number), {"name": "", **content} | {"name": name})
            except OSError as error:
                raise self._refusal(number, "renamed", error) from error

    def delete(self, number: int) -> None:
        """Move a scene into the folder of deleted ones, where the newest MOST_DELETED are kept. Raises ConfigError."""
        path, deleted = self.path(number), self.folder / DELETED
        with self._lock:
            if not path.exists():
                raise self._missing(number)
            try:
                deleted.mkdir(parents=True, exist_ok=True)
                there = sorted(file.name for file in deleted.iterdir() if _DELETED_NAME.fullmatch(file.name))
                newest = int(there[-1][:6]) + 1 if there else 1
                # The state last: cut off in between, it still lies where the scene comes back to.
                for file in (path, path.with_suffix(".npz")):
                    if file.exists():
                        file.replace(deleted / f"{newest % 1_000_000:06}-{file.name}")
                for name in there:
                    if int(name[:6]) <= newest - MOST_DELETED:
                        (deleted / name).unlink(missing_ok=True)
            except OSError as error:
                raise self._refusal(number, "deleted", error) from error

    def _save(self, scene: Scene) -> Path:
        path, state_sha256 = self.path(scene.number), ""
        try:
            for file in (path, path.with_suffix(".npz")):
                if file.exists():
                    # A pipe would wait for its reader, and a device takes what belongs into a file.
                    check_file(file)
            self.folder.mkdir(parents=True, exist_ok=True)
            if scene.state is not None:
                archive = io.BytesIO()
                arrays: dict[str, Any] = {_PREFIX + name: values for name, values in scene.state.items()}
                np.savez(archive, **arrays)
                state_sha256 = hashlib.sha256(archive.getbuffer()).hexdigest()
                write_bytes(path.with_suffix(".npz"), archive.getvalue())
            content = {
                "name": self._given_name(scene.number) or scene.name,
                "model": self._portable(scene.model),
                "model_sha256": scene.model_sha256,
                "values": dict(scene.values),
                "state_sha256": state_sha256,
            }
            _write_yaml(path, content)
            if scene.state is None:
                path.with_suffix(".npz").unlink(missing_ok=True)
        except OSError as error:
            raise self._refusal(scene.number, "saved", error) from error
        return path

    def load(self, number: int) -> Loaded:
        """Read a scene; one whose state is missing or damaged comes without it, with a notice.

        Raises ConfigError for a scene that does not exist and for a damaged file.
        """
        path = self.path(number)
        content = self.read(number)
        scene = Scene(
            number=number,
            name=content.get("name") or "",
            model=self._model(content["model"]) if content.get("model") else "",
            model_sha256=content.get("model_sha256", ""),
            values=content.get("values") or {},
        )
        if not content.get("state_sha256"):
            return Loaded(scene, ())
        state, trouble = _read_state(path.with_suffix(".npz"), content["state_sha256"])
        if state is None:
            return Loaded(scene, (f"Scene {number} comes without its state: {trouble}; save it again.",))
        return Loaded(replace(scene, state=state), ())

    def read(self, number: int) -> dict[str, Any]:
        """Return what the .yaml of a scene holds. Raises ConfigError for a scene that does not exist and for a damaged file."""
        return _read_yaml(self.path(number), number, lambda: self._missing(number))

    def _given_name(self, number: int) -> str:
        """Return the name that a person gave a scene, which it keeps when it is saved again; empty where there is none."""
        try:
            name = str(self.read(number).get("name") or "")
        except ConfigError:
            return ""
        # The engine's own names end so.
        return "" if name.endswith(f" {number}") else name

    def _missing(self, number: int) -> ConfigError:
        numbers = self.numbers()
        known = f"scenes are {_listed(numbers)}" if numbers else "there are none yet"
        return ConfigError(f"There is no scene {number} in {self.folder}; {known}.")

    def _refusal(self, number: int, what: str, error: OSError) -> ConfigError:
        return ConfigError(
            f"Scene {number} cannot be {what} in {self.folder} ({error.strerror}); free some space or choose another folder with "
            "--scenes."
        )

    def _model(self, given: str) -> str:
        """Return the path of a scene's model: a file, seen from the scenes, or a shipped one by its name."""
        path, shipped = self.folder / given, shipped_models().get(given)
        return str(path if shipped is None or path.is_file() else shipped)

    def _portable(self, model: str) -> str:
        """Return a model's path for a scene file: relative to the scenes where both are in one folder, so that it can be moved."""
        path = Path(model).absolute()
        if model and path.is_relative_to(self.folder.parent):
            return Path(os.path.relpath(path, self.folder)).as_posix()
        return str(path) if model else ""


def number_after(ordered: Sequence[int], number: int) -> int | None:
    """Return the scene after `number`, after the last the first; None where there are none.

    After one that is gone comes the first with a larger number.
    """
    if number in ordered:
        return ordered[(ordered.index(number) + 1) % len(ordered)]
    return next((one for one in ordered if one > number), ordered[0] if ordered else None)


def _write_yaml(path: Path, content: Mapping[str, Any]) -> None:
    import yaml

    text = yaml.safe_dump({k: v for k, v in content.items() if v}, sort_keys=False, allow_unicode=True)
    write_bytes(path, text.encode())


def _read_yaml(path: Path, number: int, missing: Callable[[], ConfigError]) -> dict[str, Any]:
    from engine.core.yaml_reading import read_yaml

    try:
        content: Any = read_yaml(path, LONGEST_YAML_BYTES)
    except FileNotFoundError as error:
        raise missing() from error
    except OSError as error:
        raise ConfigError(f"Scene {number} cannot be read ({error.strerror}); check {path}.") from error
    except ValueError as error:
        raise ConfigError(f"Scene {number} is damaged: {path} is not valid YAML ({error}); save it again.") from error
    if not isinstance(content, dict) or not content:
        raise ConfigError(f"Scene {number} is damaged: {path} is not a mapping of {', '.join(_KEYS)}; save it again.")
    for key, value in cast(dict[Any, Any], content).items():
        if key not in _KEYS:
            raise ConfigError(
                f"Scene {number} has an unknown key '{shortened(key)}' in {path}.{nearest_name(str(key), _KEYS)}"
            )
        if not isinstance(value, str if key in _TEXTS else dict) and value is not None:
            expected = "a text" if key in _TEXTS else "a mapping of parameters"
            raise ConfigError(f"Scene {number} has {key}: {shown(value)} in {path}; {expected} was expected.")
    return {key: value for key, value in cast(dict[str, Any], content).items() if value is not None}


def _listed(numbers: tuple[int, ...]) -> str:
    more = f" and {len(numbers) - MOST_LISTED} more" if len(numbers) > MOST_LISTED else ""
    return ", ".join(map(str, numbers[:MOST_LISTED])) + more


def _read_state(path: Path, sha256: str) -> tuple[Snapshot | None, str]:
    """Return the state, or None and the reason. Only a file with the right checksum is parsed."""
    try:
        content = read_bytes(path, LARGEST_STATE_BYTES)
    except OSError as error:
        return None, f"{path} cannot be read ({error.strerror})"
    if hashlib.sha256(content).hexdigest() != sha256:
        return None, f"{path} is damaged or belongs to another scene"
    try:
        return {name.removeprefix(_PREFIX): array for name, array in parse_arrays(content).items()}, ""
    except ValueError as error:
        return None, f"{path} holds no state ({error})"
