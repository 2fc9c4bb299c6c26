"""Write files and folders atomically: whenever the process is killed, the power fails or the disk is full, they are complete or absent.

Content is written under another name, brought to the disk and renamed. What a killed process leaves behind ends in `.part`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Generator
from pathlib import Path

PARTIAL_SUFFIX = ".part"


def partial_name(path: Path) -> Path:
    """Return the name beside `path` under which this process writes it."""
    return path.with_name(f".{path.name}.{os.getpid()}{PARTIAL_SUFFIX}")


@contextlib.contextmanager
def atomic_file(path: Path) -> Generator[Path]:
    """Yield a name to write to. Afterwards that file becomes `path`; after an error it is deleted and the old file stays.

    A missing folder is made. A symbolic link stays and its target is replaced; a device or a pipe is written to directly.
    Raises OSError.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    target = Path(os.path.realpath(path))
    partial = partial_name(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield partial
        sync(partial)
        partial.replace(target)
        sync(target.parent)
    finally:
        remove_leftover(partial)


@contextlib.contextmanager
def atomic_folder(path: Path) -> Generator[Path]:
    """Yield an empty folder to write into. Afterwards it becomes `path`; after an error it is deleted.

    A folder of that name is replaced. Raises OSError.
    """
    partial = partial_name(path)
    remove_leftover(partial)
    partial.mkdir(parents=True)
    try:
        yield partial
        for entry in (*partial.rglob("*"), partial):
            sync(entry)
        if path.exists():
            remove_folder(path)
        partial.rename(path)
        sync(path.parent)
    finally:
        remove_leftover(partial)


def check_writable(path: Path) -> None:
    """Raise OSError where a file cannot be written, before the work of which it is the result. Changes nothing.

    A missing folder is not made here: its name is mistyped more often than new.
    """
    folder = path.absolute().parent
    if not folder.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no such folder", str(path))
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
    if path.exists() and not path.is_file():
        return
    # Tried, since rights alone tell nothing of disks that are full or read-only.
    partial = partial_name(Path(os.path.realpath(path)))
    try:
        partial.touch()
    finally:
        remove_leftover(partial)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, in UTF-8. Raises OSError."""
    with atomic_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write a file atomically. Raises OSError."""
    with atomic_file(path) as partial:
        partial.write_bytes(content)


def append_bytes(path: Path, content: bytes) -> None:
    """Append all of `content` to a file, or nothing. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o644)
    try:
        size = os.fstat(handle).st_size
        written = os.write(handle, content)
        if written != len(content):
            # A full disk took only the beginning; the next line must not follow half a line.
            os.ftruncate(handle, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    finally:
        os.close(handle)


def remove_folder(path: Path) -> None:
    """Delete a folder that must never be seen with half of its files. Raises OSError when it cannot be renamed."""
    leaving = path.with_name(f".{path.name}.old{PARTIAL_SUFFIX}")
    remove_leftover(leaving)
    path.rename(leaving)
    shutil.rmtree(leaving, ignore_errors=True)


def sweep(folder: Path) -> list[Path]:
    """Delete the leftovers of killed processes in `folder`, and return their paths."""
    found = sorted(folder.glob(f".*{PARTIAL_SUFFIX}"))
    for leftover in found:
        remove_leftover(leftover)
    return found


def remove_leftover(path: Path) -> None:
    """Delete a half-written file or folder, if there is one and it can be deleted."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


def sync(path: Path) -> None:
    """Bring a file's content, or a folder's list of names, to the disk. Raises OSError."""
    if path.is_dir() and os.name == "nt":
        return  # Windows has no handle for a folder's names.
    handle = os.open(path, os.O_RDONLY if path.is_dir() or os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
