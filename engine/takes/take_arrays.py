"""The arrays of a take, such as the state of a scene: a file each beside the log, named by its checksum and written once."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from engine.core.array_files import parse_array
from engine.core.atomic_files import write_bytes
from engine.core.errors import ConfigError
from engine.core.small_files import read_bytes

ARRAYS = "arrays"
LARGEST_ARRAY_BYTES = 256 << 20
_KEY = "array"
_FILE_NAME = re.compile(r"[0-9a-f]{64}\.npy")


def save_array(array: NDArray[Any], folder: Path) -> dict[str, str]:
    """Write an array into the take's `folder` and return what stands in the log instead. Raises OSError."""
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    name = hashlib.sha256(content.getbuffer()).hexdigest() + ".npy"
    path = folder / ARRAYS / name
    if not path.exists():
        write_bytes(path, content.getbuffer())
    return {_KEY: name}


def is_array(value: object) -> bool:
    """Tell whether a value of the log stands for an array."""
    if not isinstance(value, Mapping):
        return False
    fields = cast(Mapping[str, object], value)
    name = fields.get(_KEY)
    return len(fields) == 1 and isinstance(name, str) and _FILE_NAME.fullmatch(name) is not None


def with_arrays(value: Any, folder: Path) -> Any:
    """Return a value of the log with its arrays read from `folder`. Raises ConfigError for one that is missing or damaged."""
    if is_array(value):
        return _read_array(folder / ARRAYS / value[_KEY])
    if isinstance(value, Mapping):
        return {name: with_arrays(item, folder) for name, item in cast(Mapping[str, Any], value).items()}
    return value


def _read_array(path: Path) -> NDArray[Any]:
    try:
        content = read_bytes(path, LARGEST_ARRAY_BYTES)
    except OSError as error:
        raise ConfigError(f"The take lacks {path} ({error.strerror}); copy the whole folder again.") from error
    if hashlib.sha256(content).hexdigest() != path.stem:
        raise ConfigError(f"{path} was altered or damaged; copy the whole folder of the take again.")
    try:
        return parse_array(content)
    except ValueError as error:
        raise ConfigError(f"{path} holds no array ({error}); copy the whole folder of the take again.") from error
