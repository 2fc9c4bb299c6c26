"""Which pieces of sound from outside the clip are measured: drawn from a folder and its sub-folders, alike on every system.

A piece is kept as a place in its file and decoded again when it is measured, so the number of pieces costs no memory.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import MediaError, TrainingError
from engine.core.printable import printable
from training.data.sound_piece import read_piece
from training.data.video import ClipFormat

# S samples of sound

USUAL_PIECES = 500
FEWEST_FRAMES = 2
"""Of a piece: motion and the Fréchet distance need two."""
SHOWN_REASONS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class PieceOptions:
    """What --foreign, --pieces, --seconds and --seed ask for."""

    folder: Path
    pieces: int | None = None
    """None: one of each file, up to USUAL_PIECES."""
    shortest_s: float = 1.0
    longest_s: float = 5.0
    seed: int = 20


@dataclass(frozen=True, slots=True)
class Piece:
    """A place in a file: it begins at `share` of the sound that it leaves over."""

    folder: Path
    file: str
    """Relative to the folder, with / on every system."""
    share: float
    seconds: float
    frames: int
    start_s: float

    def sound(self, sample_rate_hz: int) -> NDArray[np.float32]:
        """Decode the sound [S]. Raises TrainingError for a file that can no longer be read."""
        return read_piece(self.folder / self.file, self.share, self.seconds, sample_rate_hz).sound_S


@dataclass(frozen=True, slots=True)
class ChosenPieces:
    """Pieces, the number of files they come from, and sentences about the files that were skipped."""

    pieces: tuple[Piece, ...]
    files: int
    notices: tuple[str, ...]


def find_files(folder: Path) -> list[str]:
    """Return the files of a folder and its sub-folders, relative to it and in one order everywhere; hidden ones are left out.

    Links to folders are not followed. Raises TrainingError for a missing folder and for one without files.
    """
    if not folder.is_dir():
        raise TrainingError(f"{folder} is not a folder; --foreign expects a folder with sound or video files.")
    found: list[str] = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files = [Path(place, name) for name in names if not name.startswith(".")]
        found += [path.relative_to(folder).as_posix() for path in files if path.is_file()]
    if not found:
        raise TrainingError(
            f"{folder} holds no file with sound; put sound or video files there or into its sub-folders."
        )
    return sorted(found)


def choose_pieces(
    options: PieceOptions, clip_format: ClipFormat, progress: Callable[[int], object] = lambda _: None
) -> ChosenPieces:
    """Draw pieces from the files in an order given by the seed, from each file once before any file gives a second one.

    Unreadable files and those shorter than the shortest piece are skipped. Raises TrainingError when none is left.
    """
    files = find_files(options.folder)
    wanted = min(len(files), USUAL_PIECES) if options.pieces is None else options.pieces
    order = np.random.default_rng(options.seed).permutation(len(files))
    skipped: dict[str, str] = {}
    pieces: list[Piece] = []
    for file in _in_turns([files[index] for index in order], skipped):
        try:
            pieces.append(_drawn(file, len(pieces), options, clip_format))
            progress(1)
        except (MediaError, TrainingError) as error:
            skipped[file] = str(error)
        if len(pieces) == wanted:
            break
    if not pieces:
        raise TrainingError(
            f"{options.folder} holds no file with sound of {options.shortest_s:g} s or more ({len(skipped)} skipped, among them: "
            f"{printable(next(iter(skipped.values())))})"
        )
    return ChosenPieces(
        tuple(pieces), len({piece.file for piece in pieces}), tuple(skipped_notices([*skipped.values()]))
    )


def skipped_notices(reasons: Sequence[str]) -> list[str]:
    """Return a sentence for each of the first skipped files, and one for the others."""
    more = len(reasons) - SHOWN_REASONS
    others = [f"skipped for such reasons: {more} more files."] if more > 0 else []
    return [f"skipped: {printable(reason)}" for reason in reasons[:SHOWN_REASONS]] + others


def _in_turns(files: list[str], skipped: dict[str, str]) -> Iterator[str]:
    """Yield the files again and again, without skipped ones, as long as there are any."""
    while files:
        yield from files
        files = [file for file in files if file not in skipped]


def _drawn(file: str, number: int, options: PieceOptions, clip_format: ClipFormat) -> Piece:
    """Draw place and length of a piece. Raises TrainingError for a file that cannot be read or is too short."""
    # Numbers of its own, so that a skipped file does not change the pieces after it.
    random = np.random.default_rng([options.seed, number])
    seconds, share = float(random.uniform(options.shortest_s, options.longest_s)), float(random.random())
    hop = clip_format.sample_rate_hz // clip_format.fps
    seconds = max(FEWEST_FRAMES, round(seconds * clip_format.fps)) / clip_format.fps
    found = read_piece(options.folder / file, share, seconds, clip_format.sample_rate_hz)
    frames = round(len(found.sound_S) / hop)
    if frames < max(FEWEST_FRAMES, round(options.shortest_s * clip_format.fps)):
        raise TrainingError(
            f"{options.folder / file} lasts {len(found.sound_S) / clip_format.sample_rate_hz:.2f} s; {options.shortest_s:g} s or more was "
            "expected (--seconds)."
        )
    return Piece(options.folder, file, share, seconds, frames, found.start_s)
