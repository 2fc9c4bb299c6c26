"""The files of weights that a family needs: what is there, what is missing, and where its authors publish it."""

from __future__ import annotations

import hashlib
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from engine.core.counted import counted
from engine.core.errors import TrainingError
from engine.core.printable import print_lines
from engine.core.small_files import open_file
from training.diffusion.state_dicts import misfit

BLOCK_BYTES = 1 << 22
Shapes = Callable[[Path], tuple[Mapping[str, Tensor], Mapping[str, Tensor]]]
"""Of a file: the tensors that are expected and those in the file, on the meta device. Raises TrainingError."""


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One file that a family needs, by its place in the folder of weights."""

    path: str
    holds: str
    published: str
    """Where its authors publish it."""
    size_bytes: int | None = None
    """None: not known."""
    sha256: Mapping[str, str] = field(default_factory=dict)
    """Checksums of published files, by their names in this place; empty where none is known."""
    other_names: tuple[str, ...] = ()
    """What may lie in the same folder in its place, e.g. as safetensors."""
    shapes: Shapes | None = None
    """None: nothing is compared."""

    def found_in(self, folder: Path) -> Path | None:
        """Return the file, or one that may be there in its place; None where there is none. Names of safetensors go first."""
        place = folder / self.path
        names = sorted((place.name, *self.other_names), key=lambda name: not name.endswith(".safetensors"))
        return next((place.with_name(name) for name in names if place.with_name(name).is_file()), None)

    def mistake_of(self, found: Path) -> str:
        """Return why a file cannot be used, as a sentence; empty where it can."""
        if self.shapes is None:
            return ""
        try:
            differs = misfit(*self.shapes(found))
        except TrainingError as error:
            return str(error)
        return (
            f"{found} {differs}: it is of another version; {self.published} has the one that is needed."
            if differs
            else ""
        )


@dataclass(frozen=True, slots=True)
class WeightCheck:
    """What was found of one file."""

    file: WeightFile
    found: Path | None
    size_bytes: int | None
    checksum: str
    """"right", "other", "not known", or empty where the file is missing."""
    mistake: str
    """Why it cannot be used; empty where it can."""

    @property
    def is_usable(self) -> bool:
        return self.found is not None and not self.mistake


def check_weights(folder: Path, files: Sequence[WeightFile]) -> list[WeightCheck]:
    """Read all files of a family: sizes, checksums, names and shapes of tensors. Raises TrainingError where `folder` is none."""
    if not folder.is_dir():
        raise TrainingError(
            f"{folder} is no folder; the folder with the weights was expected. docs/diffusion.md says how it is laid out."
        )
    return [_checked(folder, file) for file in files]


def add_check_argument(parser: ArgumentParser) -> None:
    """Declare the flag that `show_weights` is for."""
    parser.add_argument("--check-weights", action="store_true", help="show what is there and what is missing, and stop")


def show_weights(folder: Path, files: Sequence[WeightFile]) -> None:
    """Print the table of all files. Raises TrainingError where some are missing or cannot be used."""
    checks = check_weights(folder, files)
    print_lines("\n".join(table(checks)))
    wrong = [check for check in checks if not check.is_usable]
    if wrong:
        raise TrainingError(
            f"{len(wrong)} of {len(checks)} files in {folder} are missing or cannot be used; fetch them from the places above."
        )


def require(folder: Path, files: Sequence[WeightFile]) -> dict[str, Path]:
    """Return where each file lies, by its path in the table. Raises TrainingError where one is missing."""
    if not folder.is_dir():
        raise TrainingError(
            f"{folder} is no folder; the folder with the weights was expected. docs/diffusion.md says how it is laid out."
        )
    places = {file.path: file.found_in(folder) for file in files}
    missing = [path for path, place in places.items() if place is None]
    if missing:
        others = f" and {counted(len(missing) - 1, 'other file')}" if missing[1:] else ""
        raise TrainingError(
            f"{folder} lacks {missing[0]}{others}; --check-weights shows all of them and where their authors publish them."
        )
    return {path: place for path, place in places.items() if place is not None}


def check_usable(places: Mapping[str, Path], files: Sequence[WeightFile]) -> None:
    """Raise TrainingError for the first of the files at `places` that cannot be used. Names and shapes alone are read."""
    for file in files:
        if mistake := file.mistake_of(places[file.path]):
            raise TrainingError(mistake)


def _checked(folder: Path, file: WeightFile) -> WeightCheck:
    found = file.found_in(folder)
    if found is None:
        return WeightCheck(file, None, None, "", "missing")
    try:
        size_bytes = found.stat().st_size
        wanted = file.sha256.get(found.name)
        checksum = "not known" if wanted is None else "right" if sha256_of(found) == wanted else "other"
    except OSError as error:
        return WeightCheck(file, found, None, "", f"cannot be read: {error.strerror}")
    return WeightCheck(file, found, size_bytes, checksum, file.mistake_of(found))


def sha256_of(path: Path) -> str:
    """Return the checksum of a file. Raises OSError."""
    digest = hashlib.sha256()
    with open_file(path) as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def table(checks: Sequence[WeightCheck]) -> list[str]:
    """Return the table of all files, with a line for each mistake and each missing file's place on the web below."""
    rows = [["file", "holds", "size", "checksum", "state"]]
    for check in checks:
        size_bytes = check.size_bytes if check.size_bytes is not None else check.file.size_bytes
        state = "fits" if check.is_usable else "missing" if check.found is None else "cannot be used"
        name = check.file.path if check.found is None else str(Path(check.file.path).with_name(check.found.name))
        rows.append([name, check.file.holds, _size(size_bytes), check.checksum or "-", state])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += ["", *(check.mistake for check in checks if check.found and check.mistake)]
    lines += [f"{check.file.path}: {check.file.published}" for check in checks if check.found is None]
    return lines if lines[-1] else lines[:-1]


def _size(size_bytes: int | None) -> str:
    if size_bytes is None:
        return "-"
    for unit, bytes_of_unit in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size_bytes >= bytes_of_unit:
            return f"{size_bytes / bytes_of_unit:.2f} {unit}"
    return f"{size_bytes} B"
