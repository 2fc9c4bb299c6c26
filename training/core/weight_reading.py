"""Read files of weights that came from elsewhere: tensors by name, and nothing that runs."""

from __future__ import annotations

import errno
import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from engine.core.small_files import check_file


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the state dict in a .safetensors file or one that torch wrote (its weights-only loader reads it).

    Raises OSError, with a reason for people, and ValueError with the reason where the file holds anything else.
    """
    loaded = read_saved(path)
    if not isinstance(loaded, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in loaded.items()
    ):
        raise ValueError(f"it holds {type(loaded).__name__} where tensors by name were expected")
    return loaded


def read_saved(path: Path, device: str = "cpu") -> Any:
    """Return what a file holds that torch wrote: tensors, numbers and texts, in lists and by name. Raises as `read_tensors`.

    On the device "meta" tensors have their shapes alone, and their numbers are not read.
    """
    check_file(path)
    try:
        if path.suffix == ".safetensors":
            return load_file(path) if device == "cpu" else _shapes_of(path)
        _check_uncompressed(path)
        with warnings.catch_warnings():
            # Of pickles that torch did not write.
            warnings.simplefilter("ignore")
            unread = device == "meta" and zipfile.is_zipfile(path)
            return torch.load(path, map_location=device, weights_only=True, mmap=unread)
    except SafetensorError as error:
        raise ValueError("it is damaged or no file of weights") from error
    except OSError as error:
        # torch looks for the end of an archive, before the beginning of one that is cut off.
        if error.errno != errno.EINVAL:
            raise
        raise ValueError("it is cut off") from error
    # What torch raises for damaged files, which depends on where the damage is.
    except (
        pickle.UnpicklingError,
        zipfile.BadZipFile,
        RuntimeError,
        EOFError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        ArithmeticError,
        AssertionError,
        MemoryError,
    ) as error:
        raise ValueError("it is damaged, or holds more than weights") from error


def _shapes_of(path: Path) -> dict[str, Tensor]:
    with safe_open(path, "pt") as file:
        return {name: torch.empty(file.get_slice(name).get_shape(), device="meta") for name in file.keys()}  # noqa: SIM118


def _check_uncompressed(path: Path) -> None:
    """Refuse an archive that blows up: torch itself compresses nothing."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                raise ValueError
