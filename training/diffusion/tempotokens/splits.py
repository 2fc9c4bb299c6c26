"""The lists of films that TempoTokens was trained and tested on, as its authors publish them: datasets/landscape.csv and so on.

A list has columns `ytid`, `class` and `set`, the last of which is train or test. VGGSound's own list has no line of names; there the
columns are the film, where it begins, the class and the set.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engine.core.counted import counted
from engine.core.errors import TrainingError
from engine.core.printable import print_line
from engine.core.small_files import read_text
from engine.core.structured import shortened
from training.data.video_files import videos_in

MOST_LIST_BYTES = 1 << 26
ID_LETTERS = 11
"""Of a film on YouTube. Files are named after it, and often after where they begin too: ID_000030.mp4."""
COLUMNS = ("ytid", "class", "set")
VGGSOUND_COLUMNS = ("ytid", "start_time", "class", "set")
SETS = ("train", "test")

Part = Literal["train", "test"]


@dataclass(frozen=True, slots=True)
class Film:
    """One that is listed and there."""

    path: Path
    text: str
    """Its class."""


def read_split(file: Path, part: Part) -> dict[str, str]:
    """Return the class of each film of one part, by its name on YouTube. Raises TrainingError for a file that is no such list."""
    try:
        rows = [
            [cell.strip() for cell in row] for row in csv.reader(read_text(file, MOST_LIST_BYTES).splitlines()) if row
        ]
    except (OSError, ValueError, csv.Error) as error:
        raise TrainingError(
            f"Cannot read {file}: {getattr(error, 'strerror', None) or error}; a list of films was expected."
        ) from error
    named = bool(rows) and set(COLUMNS) <= set(rows[0])
    names = tuple(rows[0]) if named else VGGSOUND_COLUMNS
    found = dict[str, str]()
    for number, row in enumerate(rows[1:] if named else rows, 1 + named):
        cells = dict(zip(names, row, strict=False))
        if len(row) != len(names) or cells["set"] not in SETS or not cells["ytid"]:
            raise TrainingError(
                f"Line {number} of {file} is {shortened(','.join(row))!r}; columns {', '.join(names)} were expected, of which the set is train "
                "or test."
            )
        if cells["set"] == part:
            found[cells["ytid"]] = cells["class"]
    if not found:
        raise TrainingError(
            f"{file} lists no film of the set {part}; as TempoTokens' datasets/landscape.csv was expected."
        )
    return found


def films_of(folders: Sequence[Path], file: Path, part: Part) -> list[Film]:
    """Return the films in folders that are of one part of a list, in the order of their names, and tell how many of it are there.

    Raises TrainingError where none is.
    """
    wanted, found, met = read_split(file, part), list[Film](), set[str]()
    for folder in folders:
        if not folder.is_dir():
            raise TrainingError(
                f"{folder} is no folder; with --split, folders with the films of a data set were expected."
            )
        for path in videos_in(folder):
            name = path.stem if path.stem in wanted else path.stem[:ID_LETTERS]
            if name in wanted:
                found.append(Film(path, wanted[name]))
                met.add(name)
    if not found:
        raise TrainingError(
            f"{folders[0]} holds none of the films of the set {part} in {file}, which lists {len(wanted)}; files named {next(iter(wanted))}.mp4 were expected."
        )
    print_line(f"split     {counted(len(met), 'film')} of {len(wanted)} of the set {part} in {file}")
    return found
