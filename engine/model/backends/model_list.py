"""The models that a running show can change to, listed by their cards. No model is opened for it.

A card is read again when its file has another size or time. The files of strangers are tested when one is asked for, not here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from engine.core.choice import Choice, id_of
from engine.core.errors import ConfigError, UserError
from engine.core.printable import printable_name
from engine.model.backends.selection import MODULES, obstacle, read_card, suffixes
from engine.model.card import ModelCard
from engine.model.loading import check_fit

MOST_LISTED = 200
CheckCard = Callable[[ModelCard], object]
"""Raises UserError for a model that this show cannot play."""


class _Read(NamedTuple):
    """A file that was read; one with another stamp is read again."""

    stamp: tuple[int, int]
    card: ModelCard | None
    problem: str


class ModelList:
    """The models in some folders, and others by their paths. Any thread may call; a call takes as long as the disk."""

    def __init__(
        self, folders: Iterable[Path | str], first: ModelCard, window_samples: int, check: CheckCard = lambda card: None
    ) -> None:
        """`first` is the model that the show began with, `window_samples` the length of its windows; `check` may refuse more."""
        self._folders = tuple(dict.fromkeys(Path(folder).absolute() for folder in folders))
        self._first = first
        self._window_samples = window_samples
        self._check = check
        self._read: dict[Path, _Read] = {}
        self._paths: dict[str, Path] = {}
        """By the ids that were given out."""
        self._lock = threading.Lock()

    def choices(self, playing: str, others: Iterable[str] = ()) -> Sequence[Choice]:
        """Return the models of the folders and the `others`, each with why it cannot be changed to; `playing` is the path that plays."""
        found = dict.fromkeys(path for folder in self._folders for path in _models_in(folder))
        found |= dict.fromkeys(Path(path).absolute() for path in (*others, playing))
        by_file: dict[Path, Path] = {}
        for path in list(found)[:MOST_LISTED]:
            by_file.setdefault(path.resolve(), path)
        playing_file = Path(playing).resolve()
        choices = [self._choice(path, file == playing_file) for file, path in by_file.items()]
        with self._lock:
            self._paths |= {id_of(str(path)): path for path in by_file.values()}
            self._read = {path: self._read[path] for path in by_file.values() if path in self._read}
        return sorted(choices, key=lambda choice: (bool(choice.problem), choice.name.casefold(), choice.detail))

    def path(self, id: str) -> Path:
        """Return the path of a model that was listed. Raises ConfigError for another id, and where the show cannot change to it."""
        with self._lock:
            path = self._paths.get(id)
        if path is None:
            raise ConfigError("There is no such model in the list; list the models again and choose one of them.")
        read = self._card(path)
        if read.problem:
            raise ConfigError(read.problem)
        return path

    def _choice(self, path: Path, plays: bool) -> Choice:
        card, problem = self._card(path)[1:]
        name = printable_name(card.name if card else path.stem)
        size = f"{card.width} x {card.height}, {card.fps:.4g} fps, " if card else ""
        return Choice(
            id=id_of(str(path)), name=name, detail=f"{size}{path.name}", plays=plays, problem="" if plays else problem
        )

    def _card(self, path: Path) -> _Read:
        try:
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
        except OSError as error:
            return _Read((0, 0), None, f"{path} cannot be read ({error.strerror}); put it back.")
        with self._lock:
            before = self._read.get(path)
        if before and before.stamp == stamp:
            return before
        read = self._look(path, stamp)
        with self._lock:
            self._read[path] = read
        return read

    def _look(self, path: Path, stamp: tuple[int, int]) -> _Read:
        try:
            card = read_card(path)
        except UserError as error:
            return _Read(stamp, None, str(error))
        try:
            check_fit(self._first, card, self._window_samples, str(path))
            self._check(card)
            _check_backend(path)
        except UserError as error:
            return _Read(stamp, card, str(error))
        return _Read(stamp, card, "")


def _models_in(folder: Path) -> list[Path]:
    """Return the model files of a folder; none where it is not there."""
    endings = {suffix for name in MODULES for suffix in suffixes(name)}
    try:
        return sorted(path for path in folder.iterdir() if path.suffix in endings and path.is_file())
    except OSError:
        return []


def _check_backend(path: Path) -> None:
    """Raise ConfigError where no backend on this machine plays files of this kind."""
    reasons = [obstacle(name) for name in MODULES if path.suffix in suffixes(name)]
    if reasons and all(reasons):
        raise ConfigError(f"{path} cannot be played here: {'; '.join(filter(None, reasons))}.")
