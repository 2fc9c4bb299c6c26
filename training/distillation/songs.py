"""Which parts of the user's sounds a teacher renders, and in which order: a short rendering sees every song, a longer one more of each."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.core.errors import MediaError, TrainingError
from engine.media.file_names import SOUND_SUFFIXES
from training.data.clip_sound import read_sound
from training.data.sources import file_digest


@dataclass(frozen=True, slots=True)
class Song:
    """One sound and its length."""

    path: Path
    length_s: float
    sha256: str
    """Of the file."""


@dataclass(frozen=True, order=True, slots=True)
class Stretch:
    """A part of a song that is rendered in one go. Stretches are ordered as they follow each other in the clip."""

    path: Path
    start_s: float
    seconds: float
    sound_sha256: str
    """Of the whole file."""


def sound_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files, with the sounds of a folder and of the folders in it in its place. Raises TrainingError for a folder without."""
    found: list[Path] = []
    for path in paths:
        inside = sorted(file for file in path.rglob("*") if _is_sound(file)) if path.is_dir() else [path]
        if not inside:
            raise TrainingError(f"{path} holds no sound; a folder with songs was expected, such as .wav or .mp3.")
        found += inside
    return found


def read_songs(paths: Sequence[Path], window_s: float, rate_hz: int) -> tuple[list[Song], list[str]]:
    """Return the songs that are as long as what the teacher sees at once, and one sentence for each that is left out.

    Raises TrainingError where none is left, and MediaError for a single sound that cannot be read.
    """
    songs, left_out = list[Song](), list[str]()
    for path in paths:
        try:
            length_s = len(read_sound(path, rate_hz)) / rate_hz
        except MediaError as error:
            if len(paths) == 1:
                raise
            left_out.append(f"left out: {error}")
            continue
        sha256 = file_digest(path)
        same = next((song for song in songs if song.sha256 == sha256), None)
        # A little less, since lengths are rounded.
        if length_s < window_s - 1e-3:
            left_out.append(f"left out: {path} has {length_s:.2f} s, and the teacher sees {window_s:g} s at once.")
        elif same:
            left_out.append(f"left out: {path} is the same sound as {same.path}.")
        else:
            songs.append(Song(path, length_s, sha256))
    if not songs:
        first = left_out[0].removeprefix("left out: ")
        raise TrainingError(f"None of the sounds is long enough ({first.rstrip('.')}); give longer ones with --audio.")
    return songs, left_out


def stretches(songs: Sequence[Song], stretch_s: float) -> list[Stretch]:
    """Return all stretches in the order of rendering: one of each song, then one more of each, far from those before."""
    of_songs = [[_stretch(song, place, stretch_s) for place in _far_apart(_count(song, stretch_s))] for song in songs]
    rounds = itertools.zip_longest(*of_songs)
    return [stretch for one_of_each in rounds for stretch in one_of_each if stretch is not None]


def _count(song: Song, stretch_s: float) -> int:
    return max(1, int(song.length_s / stretch_s + 1e-6))


def _stretch(song: Song, place: int, stretch_s: float) -> Stretch:
    return Stretch(song.path, place * stretch_s, min(stretch_s, song.length_s), song.sha256)


def _far_apart(count: int) -> list[int]:
    """Return 0 … count - 1 by their bits read backwards: the first few lie far apart, and so does each that follows."""
    bits = max(1, (count - 1).bit_length())
    return sorted(range(count), key=lambda number: int(f"{number:0{bits}b}"[::-1], 2))


def _is_sound(file: Path) -> bool:
    return file.suffix.lower() in SOUND_SUFFIXES and file.is_file() and not file.name.startswith(".")
