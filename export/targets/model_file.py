"""Writing the file of a target."""

from __future__ import annotations

import errno
from pathlib import Path

from engine.core.atomic_files import write_bytes
from engine.core.errors import ModelFileError


def write_model_file(content: bytes, path: Path) -> None:
    """Write a file atomically, into a folder that exists. Raises ModelFileError when it cannot be written."""
    try:
        if not path.absolute().parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, "there is no such folder")
        write_bytes(path, content)
    except OSError as error:
        raise ModelFileError(f"Cannot write {path}: {error.strerror}; choose another place with -o.") from error
