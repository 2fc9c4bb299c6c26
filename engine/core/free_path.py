"""Names that are not taken: a show that is started again after a crash must not write over what the crash left."""

from __future__ import annotations

from pathlib import Path


def free_path(path: Path | str) -> Path:
    """Return `path`, or the first of NAME-2, NAME-3 ... in its folder where nothing is yet. An empty folder is as good as none."""
    wanted = Path(path)
    found, number = wanted, 1
    while _is_taken(found):
        number += 1
        found = wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}")
    return found


def _is_taken(path: Path) -> bool:
    return any(path.iterdir()) if path.is_dir() else path.exists()
