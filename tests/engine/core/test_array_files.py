"""Arrays are read back bit for bit, and none is larger than its file."""

from __future__ import annotations

import io
import random
import zipfile
from typing import Any

import numpy as np
import pytest

from engine.core.array_files import parse_array, parse_arrays


def npy(array: Any, **options: Any) -> bytes:
    content = io.BytesIO()
    np.save(content, array, **options)
    return content.getvalue()


def npz(**arrays: Any) -> bytes:
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


def header(text: str) -> bytes:
    padded = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.float32).reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.array(3.5, np.float32),
        np.zeros((0, 4), np.uint8),
        np.array([True, False]),
        np.array([1 + 2j]),
    ],
)
def test_arrays_are_read_back(array: np.ndarray) -> None:
    for read in (parse_array(npy(array)), parse_arrays(npz(state=array))["state"]):
        np.testing.assert_array_equal(read, array, strict=True)
        assert read.flags.writeable


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it does not begin as an array"),
        (b"\x93NUMPY\x09\x00", "it does not begin"),
        (npy(np.zeros(9))[:-1], "its size is not what its header says"),
        (header("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,)}"), "its size is not what"),
        (header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, -1)}") + b"1234", "header is damaged"),
        (header("{'descr': '<f4', 'fortran_order': False, 'shape': (True,)}") + b"1234", "header is damaged"),
        (header("{'descr': '<f4', 'fortran_order': False, 'shape': (1" + ",1" * 40 + ")}") + b"1234", "header"),
        (header("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}") + b"12345678", "other things than numbers"),
        (header("{'descr': '<U0', 'fortran_order': False, 'shape': (9,)}"), "other things than numbers"),
        (header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}") + b"1234", "other things"),
        (header("__import__('os').system('ls')"), "header is damaged"),
        (header("[" * 100), "header is damaged"),
        (npy(np.array([{}]), allow_pickle=True), "other things than numbers"),
    ],
)  # fmt: skip
def test_what_is_no_array_is_one_reason(content: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_array(content)


def test_an_archive_that_blows_up_is_refused() -> None:
    small = io.BytesIO()
    np.savez_compressed(small, state=np.zeros(1 << 20))
    with pytest.raises(ValueError, match="compressed"):
        parse_arrays(small.getvalue())
    with pytest.raises(ValueError, match="cut off or no archive"):
        parse_arrays(npz(state=np.zeros(9))[:-30])
    lying = npz(state=np.zeros(9)).replace((200).to_bytes(4, "little"), (1 << 30).to_bytes(4, "little"))
    with pytest.raises(ValueError, match="larger than the file"):
        parse_arrays(lying)
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("../../escape.npy", npy(np.zeros(3)))
    assert list(parse_arrays(other.getvalue())) == ["../../escape"]


def test_any_damage_is_read_or_refused() -> None:
    """1,000 files of each kind with a few bytes changed, or cut off."""
    drawn = random.Random(18)
    for whole, read in (
        (npy(np.arange(6.0).reshape(2, 3)), parse_array),
        (npz(a=np.zeros(3), b=np.ones(2)), parse_arrays),
    ):
        refused = 0
        for _ in range(1000):
            content = bytearray(whole[: drawn.randint(1, len(whole))] if drawn.random() < 0.3 else whole)
            for _ in range(drawn.randint(1, 4)):
                content[drawn.randrange(len(content))] = drawn.randrange(256)
            try:
                read(bytes(content))
            except ValueError:
                refused += 1
        assert refused > 200
