"""Read files that came from people: configurations, scenes, logs. None of them can block the reader or fill the memory.

Regular files alone are opened, also behind a link: a pipe would wait for a writer, a device may have no end. Sizes are checked before
anything is read.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

LONGEST_LINE_BYTES = 1 << 20
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def open_file(path: Path | str) -> BufferedReader:
    """Open a regular file, or a link to one, for reading; never waits for a pipe.

    Raises OSError, whose `strerror` is a reason for people: "it is a pipe, and a file was expected".
    """
    # A device may act when it is opened, so this comes first; the file may be another one afterwards.
    check_file(path)
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
    handle = os.open(path, flags)
    try:
        _check_kind(os.fstat(handle), path)
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def check_file(path: Path | str, most_bytes: int | None = None) -> None:
    """Raise OSError, as `open_file` and `read_bytes`, unless `path` is a regular file of at most `most_bytes`."""
    if "\0" in str(path):
        raise OSError(errno.EINVAL, "its name holds a NUL byte", str(path))
    status = os.stat(path)
    _check_kind(status, path)
    _check_size(status.st_size, most_bytes, path)


def read_bytes(path: Path | str, most_bytes: int) -> bytes:
    """Return the content of a regular file. Raises OSError, with a reason for people, also for one of more than `most_bytes`."""
    with open_file(path) as file:
        _check_size(os.fstat(file.fileno()).st_size, most_bytes, path)
        # A file may grow while it is read, and some of the system's files have more than they say.
        content = file.read(most_bytes + 1)
    _check_size(len(content), most_bytes, path)
    return content


def read_text(path: Path | str, most_bytes: int) -> str:
    """Return a text file, UTF-8. Raises OSError as `read_bytes`, and ValueError with the reason and place where it is no text."""
    return decode(read_bytes(path, most_bytes))


def read_lines(path: Path | str) -> Iterator[str]:
    """Yield the lines of a text file with their ends; what is not UTF-8 is replaced. Raises OSError as `open_file`.

    A longer line than LONGEST_LINE_BYTES comes in pieces without an end.
    """
    with open_file(path) as file:
        while line := file.readline(LONGEST_LINE_BYTES):
            yield line.decode("utf-8", errors="replace")


def decode(content: bytes) -> str:
    """Return `content` as text. Raises ValueError with the reason and the line where it is not UTF-8 or holds a NUL byte."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"it is not UTF-8 text in line {line}") from error
    if "\0" in text:
        raise ValueError(f"it holds a NUL byte in line {text.count(chr(10), 0, text.index(chr(0))) + 1}")
    return text


def _check_kind(status: os.stat_result, path: Path | str) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise OSError(errno.EINVAL, f"it is {kind}, and a file was expected", str(path))


def _check_size(size_bytes: int, most_bytes: int | None, path: Path | str) -> None:
    if most_bytes is not None and size_bytes > most_bytes:
        raise OSError(errno.EFBIG, f"it is larger than the {_size(most_bytes)} that such a file may have", str(path))


def _size(size_bytes: int) -> str:
    return f"{size_bytes >> 20} MiB" if size_bytes >= 1 << 20 else f"{size_bytes >> 10} KiB"
