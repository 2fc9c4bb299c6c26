"""Which compiled files this user made on this machine.

A compiled .pt2 is machine code: whoever opens one runs it. No check of its content could make it safe, so the engine opens
only files whose checksum export.to_torch has noted in the user's own cache folder.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from engine.core.cache_folder import cache_root


def note_compiled(content: bytes) -> None:
    """Note that this user compiled a file of this content. Raises OSError when the cache folder cannot be written."""
    note = _note(content)
    note.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    note.touch(mode=0o600)


def is_compiled_here(content: bytes) -> bool:
    """Tell whether `note_compiled` has seen a file of this content."""
    return _note(content).is_file()


def _note(content: bytes) -> Path:
    return cache_root() / "compiled" / hashlib.sha256(content).hexdigest()
