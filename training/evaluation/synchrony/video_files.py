"""Films on a command line: files, and folders of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from engine.core.errors import TrainingError

SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".webm")


def video_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files, with those in a folder in the order of their names. Raises TrainingError for a folder without a film."""
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())
        if not inside:
            raise TrainingError(f"{path} holds no video file; give films ({', '.join(SUFFIXES)}) or a folder with some.")
        found += inside
    return found
