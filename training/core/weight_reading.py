"""Read files of weights that came from elsewhere: tensors by name, and nothing that runs."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from engine.core.small_files import check_file


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the state dict in a .safetensors file or one that torch wrote (its weights-only loader reads it).

    Raises OSError, with a reason for people, and ValueError with the reason where the file holds anything else.
    """
    check_file(path)
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        _check_uncompressed(path)
        with warnings.catch_warnings():
            # Of pickles that torch did not write.
            warnings.simplefilter("ignore")
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except SafetensorError as error:
        raise ValueError("it is damaged or no file of weights") from error
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
    if not isinstance(loaded, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in loaded.items()
    ):
        raise ValueError(f"it holds {type(loaded).__name__} where tensors by name were expected")
    return loaded


def _check_uncompressed(path: Path) -> None:
    """Refuse an archive that blows up: torch itself compresses nothing."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                raise ValueError
