"""An array in a file of which only the rows asked for are read: a mapped file would count as memory, page by page, and stay."""

from __future__ import annotations

import operator
import os
import threading
from math import prod
from pathlib import Path
from typing import Any, Generic, SupportsIndex, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from engine.core.errors import TrainingError

S = TypeVar("S", bound=np.generic)


class StoredArray(Generic[S]):
    """Rows of one shape, read from a file as numpy arrays, from any thread. The file may be replaced meanwhile."""

    def __init__(self, path: Path, dtype: type[S], shape: tuple[int, ...]) -> None:
        """Raises OSError for a file that cannot be opened, ValueError for one of another size."""
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self._row_bytes = prod(shape[1:]) * self.dtype.itemsize
        self._path = path
        # Closed with the last reference. Of the file's one position the lock takes care.
        self._file = path.open("rb", buffering=0)
        self._lock = threading.Lock()
        if os.fstat(self._file.fileno()).st_size != shape[0] * self._row_bytes:
            self._file.close()
            raise ValueError(f"{path} does not hold {shape[0]} rows of {self._row_bytes} bytes")

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: SupportsIndex | slice | NDArray[Any]) -> NDArray[S]:
        """Return a copy of one row, or of those of a slice, of numbers or of a mask. Raises TrainingError where they cannot be read."""
        if isinstance(index, slice):
            chosen = range(*index.indices(len(self)))
            if chosen.step == 1:
                return self._read(chosen.start, len(chosen))
        elif isinstance(index, np.ndarray) and index.ndim:
            chosen = (np.flatnonzero(index) if index.dtype == np.bool_ else index).tolist()
        else:
            return self._read(self._checked(index), 1)[0]
        rows = np.empty((len(chosen), *self.shape[1:]), self.dtype)
        for place, row in enumerate(chosen):
            rows[place] = self._read(self._checked(row), 1)[0]
        return rows

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        whole = self[:]
        return whole if dtype is None else whole.astype(dtype, copy=False)

    def _checked(self, index: SupportsIndex) -> int:
        row = operator.index(index)
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        return row % len(self)

    def _read(self, first: int, count: int) -> NDArray[S]:
        rows = np.empty((count, *self.shape[1:]), self.dtype)
        wanted = rows.data.cast("B") if rows.size else memoryview(b"")
        try:
            with self._lock:
                self._file.seek(first * self._row_bytes)
                while len(wanted) and (received := self._file.readinto(wanted)):
                    wanted = wanted[received:]
        except OSError as error:
            raise self._unreadable(error.strerror or str(error)) from error
        if len(wanted):
            raise self._unreadable("it is cut off")
        return rows

    def _unreadable(self, reason: str) -> TrainingError:
        return TrainingError(f"{self._path} of the cache cannot be read any more ({reason}); start the command again.")
