"""Video files by name: on a command line, and in a folder of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from engine.core.errors import TrainingError

SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".webm")


def videos_in(folder: Path) -> list[Path]:
    """Return the video files directly in a folder, in the order of their names."""
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())


def video_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files, with those in a folder in their place. Raises TrainingError for a folder without a video file."""
    found: list[Path] = []
    for path in paths:
        inside = videos_in(path) if path.is_dir() else [path]
        if not inside:
            raise TrainingError(
                f"{path} holds no video file; give films ({', '.join(SUFFIXES)}) or a folder with some."
            )
        found += inside
    return found
