"""Rows of a file read one by one: as numpy indexes them, from several threads, and from a file that was replaced or cut off."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.core.errors import TrainingError
from training.data.stored_array import StoredArray


@pytest.fixture
def rows_NHW() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (50, 4, 3), np.uint8)


@pytest.fixture
def stored(tmp_path: Path, rows_NHW: NDArray[np.uint8]) -> StoredArray[np.uint8]:
    (tmp_path / "rows").write_bytes(rows_NHW.tobytes())
    return StoredArray(tmp_path / "rows", np.uint8, rows_NHW.shape)


INDICES = [
    0,
    -1,
    np.int64(7),
    slice(None),
    slice(3, 9),
    slice(-4, None),
    slice(40, 400),
    slice(9, 3),
    slice(40, 2, -7),
    slice(None, None, 5),
    np.array([4, 4, -1, 0]),
    np.array([], np.int64),
    np.arange(50) % 3 == 0,
]


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_rows_are_indexed_as_numpy_does(stored: StoredArray, rows_NHW: NDArray[np.uint8], index: object) -> None:
    found, expected = stored[index], rows_NHW[index]  # type: ignore[index]
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected)
    assert found.shape == expected.shape


def test_the_whole_is_read_as_an_array_or_row_by_row(stored: StoredArray, rows_NHW: NDArray[np.uint8]) -> None:
    assert (len(stored), stored.shape, stored.dtype) == (50, (50, 4, 3), np.uint8)
    assert np.array_equal(stored, rows_NHW)
    assert np.array_equal(np.stack(list(stored)), rows_NHW)
    assert np.asarray(stored, np.float32).dtype == np.float32


@pytest.mark.parametrize("index", [50, -51, np.array([0, 50])], ids=str)
def test_no_row_beyond_the_last(stored: StoredArray, index: object) -> None:
    with pytest.raises(IndexError):
        stored[index]  # type: ignore[index]


def test_threads_do_not_move_each_others_place(stored: StoredArray, rows_NHW: NDArray[np.uint8]) -> None:
    starts = np.random.default_rng(1).integers(0, 45, 2000).tolist()
    with ThreadPoolExecutor(8) as threads:
        for start, found in zip(starts, threads.map(lambda start: stored[start : start + 5], starts), strict=True):
            assert np.array_equal(found, rows_NHW[start : start + 5])


def test_a_file_of_another_size_is_refused(stored: StoredArray, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not hold 51 rows of 12 bytes"):
        StoredArray(tmp_path / "rows", np.uint8, (51, 4, 3))


def test_a_file_that_is_cut_off_meanwhile_is_one_sentence(stored: StoredArray, tmp_path: Path) -> None:
    with (tmp_path / "rows").open("r+b") as file:
        file.truncate(100)
    assert len(stored[:8]) == 8
    with pytest.raises(TrainingError, match=r"rows of the cache cannot be read any more \(it is cut off\)"):
        stored[:9]
