"""The content of a model file, read once: what is checked is what a runtime gets, whatever happens to the file meanwhile.

Only regular files are opened. A pipe would block the show, a device may have no end, and a link can be turned to another file.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from engine.core.errors import ModelFileError

MOST_FILE_BYTES = 1 << 31
"""Protocol buffers end at two gibibytes."""


@dataclass(frozen=True, slots=True)
class FileContent:
    """All bytes of a model file. It stands for the path wherever one is expected."""

    path: Path
    data: bytes = field(repr=False)
    sha256: str

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)


ModelSource = Path | str | FileContent
"""A model file, by its path or already read."""


def read_content(source: ModelSource) -> FileContent:
    """Read a model file, unless it has been read. Raises ModelFileError for what is missing, no regular file, or too large."""
    if isinstance(source, FileContent):
        return source
    path = Path(source)
    try:
        with open_regular(path) as stream:
            data = stream.read()
    except OSError as error:
        raise unreadable(path, error) from error
    return FileContent(path, data, hashlib.sha256(data).hexdigest())


def open_content(source: ModelSource) -> BinaryIO:
    """Open a model file, or its content where it has been read. Raises as `read_content` does."""
    if isinstance(source, FileContent):
        return io.BytesIO(source.data)
    try:
        return open_regular(Path(source))
    except OSError as error:
        raise unreadable(Path(source), error) from error


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file of at most MOST_FILE_BYTES. Raises ModelFileError for any other, OSError where it cannot be opened."""
    if path.is_symlink():
        raise ModelFileError(f"{path} is a link; give the path of the model file itself.")
    # Without waiting for the other end of a pipe, and without following a link that was put there meanwhile.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(path, flags)
    except FileNotFoundError as error:
        raise ModelFileError(f"There is no model file {path}; give the path of a file made by export.") from error
    except ValueError as error:
        raise ModelFileError(f"{str(path)!a} is no path of a file; give the path of a model file.") from error
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise ModelFileError(f"{path} is {_kind(facts.st_mode)}, not a file; give the path of a model file.")
        if facts.st_size > MOST_FILE_BYTES:
            raise ModelFileError(
                f"{path} has {facts.st_size / 1e9:.1f} GB; a model file has at most {MOST_FILE_BYTES / 1e9:.1f} GB. "
                "Export a smaller model."
            )
        return os.fdopen(handle, "rb")
    except ModelFileError:
        os.close(handle)
        raise


def unreadable(path: Path, error: OSError) -> ModelFileError:
    """Return the error for a file that the system does not let us read."""
    return ModelFileError(f"{path} cannot be read ({error.strerror}); check its permissions.")


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")
