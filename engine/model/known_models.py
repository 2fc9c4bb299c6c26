"""Which model files need no first test (backends/first_test.py): the one that is shipped, those exported here, those tested before.

All are known by the checksum of the entire file. What this machine remembers lies in the user's own cache folder: one file a model,
named by that checksum, with a line for each reason.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from engine.core.atomic_files import append_bytes
from engine.core.cache_folder import cache_root

SHIPPED = frozenset(
    {
        "a70de25c5af5ec99c0ef3b3e2ba570ded895c72d96741d71da022b59b5eeef57",
        "69709497f7f9060e9302e54ca3cb9b1010a75269349d72c75066cfc9cf4e0e80",
        "8c8c95d24213f0e73bd2bd94464f6512f592f31877049b0533c6289300ebe039",
        "778b3775bef03528a3a657e30e8326a93488f7c33c335325df245ef7760b64d1",
        "7e5141f7d2e99b85fae4865ab61820258a1062b33719e946bdfcc6435d1f1285",
    }
)
"""The files in engine/models; a test compares."""
_MADE_HERE = "made here"
_LONGEST_NOTE_BYTES = 1 << 16


def note_made_here(sha256: str) -> None:
    """Remember a file that export has just made and compared with torch. Where nothing can be written, it is tested once."""
    with contextlib.suppress(OSError):
        _note(sha256, _MADE_HERE)


def note_passed(sha256: str, where: str) -> None:
    """Remember that a file passed its first test; `where` names the backend and its version. Raises OSError."""
    _note(sha256, where)


def is_known(sha256: str, where: str) -> bool:
    """Return whether a file needs no first test on this backend."""
    return is_ours(sha256) or where in _notes(sha256)


def is_ours(sha256: str) -> bool:
    """Return whether a file is shipped with the engine or was exported here."""
    return sha256 in SHIPPED or _MADE_HERE in _notes(sha256)


def _notes(sha256: str) -> list[str]:
    try:
        with _file(sha256).open("rb") as stream:
            return stream.read(_LONGEST_NOTE_BYTES).decode(errors="replace").splitlines()
    except OSError:
        return []


def _note(sha256: str, line: str) -> None:
    file = _file(sha256)
    # Nobody else may say that a model is known.
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    append_bytes(file, f"{line}\n".encode())


def _file(sha256: str) -> Path:
    return cache_root() / "models" / sha256
