"""Arrays in numpy's own formats, .npy and .npz, from files that came from people.

numpy.load allocates what the header says before it looks at the rest, and unpacks what a small archive blows up. Here an array has
exactly the bytes that follow its header, so that none is larger than its file.
"""

from __future__ import annotations

import ast
import io
import math
import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

_KINDS = "biufcV"
_MOST_AXES = 32
_LENGTH_BYTES = {b"\x93NUMPY\x01\x00": 2, b"\x93NUMPY\x02\x00": 4}
"""By magic and version: the bytes that hold the header's length."""
_LONGEST_HEADER_BYTES = 10_000


def parse_array(content: bytes) -> NDArray[Any]:
    """Return the array in the content of an .npy file. Raises ValueError with the reason where it is damaged or holds objects."""
    shape, is_fortran, dtype, begin = _read_header(content)
    data = memoryview(content)[begin:]
    if math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError("its size is not what its header says")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if is_fortran else "C").copy()


def _read_header(content: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Return shape, order, type and where the numbers begin."""
    length_bytes = _LENGTH_BYTES.get(content[:8])
    if length_bytes is None:
        raise ValueError("it does not begin as an array")
    begin = 8 + length_bytes
    end = begin + int.from_bytes(content[8:begin], "little")
    if not begin < end <= min(len(content), begin + _LONGEST_HEADER_BYTES):
        raise ValueError("its header is cut off")
    try:
        fields: Any = ast.literal_eval(content[begin:end].decode("ascii").strip())
        shape, is_fortran, kind = fields["shape"], fields["fortran_order"], fields["descr"]
        sizes = tuple(int(size) for size in shape if type(size) is int and size >= 0)
        if len(fields) != 3 or sizes != shape or len(sizes) > _MOST_AXES or type(is_fortran) is not bool:
            raise ValueError
        dtype = np.dtype(kind) if isinstance(kind, str) else np.dtype(object)
    # What a text that is no literal, or another literal, raises.
    except (ValueError, LookupError, TypeError, SyntaxError, AttributeError, RecursionError, MemoryError) as error:
        raise ValueError("its header is damaged") from error
    if dtype.kind not in _KINDS or dtype.fields or dtype.subdtype or not dtype.itemsize:
        raise ValueError("it holds other things than numbers")
    return sizes, is_fortran, dtype, end


def parse_arrays(content: bytes) -> dict[str, NDArray[Any]]:
    """Return the arrays by name in the content of an .npz file as numpy.savez writes it, without compression.

    Raises ValueError with the reason.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if any(entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 for entry in entries):
                raise ValueError("it is compressed or encrypted")
            if sum(entry.file_size for entry in entries) > len(content):
                raise ValueError("its entries are larger than the file")
            return {entry.filename.removesuffix(".npy"): parse_array(archive.read(entry)) for entry in entries}
    except (zipfile.BadZipFile, OSError, EOFError, LookupError, NotImplementedError, RuntimeError) as error:
        raise ValueError("it is cut off or no archive of arrays") from error
