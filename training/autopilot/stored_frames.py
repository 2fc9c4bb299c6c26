"""Grey frames in a temporary file, so that the analysis of a long clip needs little memory."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

# H W rows and columns


class StoredFrames(Sequence[NDArray[np.uint8]]):
    """Frames [H, W] of one size, read back one at a time."""

    def __init__(self, height: int, width: int) -> None:
        self._shape = (height, width)
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `close`, deleted by the system in any case
        self._count = 0

    def add(self, frame_HW: NDArray[np.uint8]) -> None:
        """Store the next frame."""
        assert frame_HW.shape == self._shape, (frame_HW.shape, self._shape)
        self._file.seek(self._count * frame_HW.nbytes)
        self._file.write(frame_HW.tobytes())
        self._count += 1

    def keep(self, count: int) -> None:
        """Forget all but the first `count` frames."""
        self._count = min(self._count, count)

    def close(self) -> None:
        """Delete the file."""
        self._file.close()

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> NDArray[np.uint8]: ...
    @overload
    def __getitem__(self, index: slice) -> list[NDArray[np.uint8]]: ...
    def __getitem__(self, index: int | slice) -> NDArray[np.uint8] | list[NDArray[np.uint8]]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(self._count))]
        if not 0 <= index < self._count:
            raise IndexError(index)
        size = self._shape[0] * self._shape[1]
        self._file.seek(index * size)
        return np.frombuffer(self._file.read(size), np.uint8).reshape(self._shape)
