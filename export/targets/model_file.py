"""Writing the file of a target."""

from __future__ import annotations

import hashlib
from pathlib import Path

from engine.core.atomic_files import check_writable, write_bytes
from engine.core.errors import ModelFileError
from engine.model.known_models import note_made_here


def write_model_file(content: bytes, path: Path) -> None:
    """Write a file atomically, into a folder that exists. Raises ModelFileError when it cannot be written."""
    try:
        check_writable(path)
        write_bytes(path, content)
    except OSError as error:
        raise ModelFileError(f"Cannot write {path}: {error.strerror}; choose another place with -o.") from error


def check_place(path: Path, ending: str) -> None:
    """Refuse a place that cannot be written, and a name that is none of such a file, before minutes of work for it. Raises ModelFileError."""
    if path.suffix != ending and not path.is_dir():
        raise ModelFileError(f"-o is {path}; a file that ends in {ending} was expected.")
    try:
        check_writable(path)
    except OSError as error:
        raise ModelFileError(f"Cannot write {path}: {error.strerror}; choose another place with -o.") from error


def write_own_model(content: bytes, path: Path) -> None:
    """Write a file like write_model_file, and note that it was made here: the engine plays it without a first test.

    Only for models that were traced and compared here, never for what was made from a file of somebody else.
    """
    write_model_file(content, path)
    note_made_here(hashlib.sha256(content).hexdigest())
