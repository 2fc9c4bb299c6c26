"""Free file names: a show that starts again after a crash must not overwrite what is there."""

from __future__ import annotations

from pathlib import Path


def free_path(path: Path | str) -> Path:
    """Return `path`, or the first of NAME-2, NAME-3 ... in its folder that does not exist. An empty folder counts as free."""
    wanted = Path(path)
    found, number = wanted, 1
    while _is_taken(found):
        number += 1
        found = wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}")
    return found


def _is_taken(path: Path) -> bool:
    return any(path.iterdir()) if path.is_dir() else path.exists()
