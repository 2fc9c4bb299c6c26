"""The display matrix that lies beside a decoded frame: how it is turned and mirrored."""

# PyAV's types are incomplete.
# pyright: basic

from __future__ import annotations

from typing import Any

import av
from av.sidedata.sidedata import Type


def _unnamed(kind: type[Type], value: int) -> Type:
    """Return a member for what lies beside a frame and has no name in PyAV.

    PyAV up to 18.1 raises ValueError for a frame that has such side data, as a photo's EXIF and much of what phones write into films.
    """
    member: Any = object.__new__(kind)
    member._name_, member._value_ = f"UNNAMED_{value}", value
    return member


_Type: Any = Type
_Type._missing_ = classmethod(_unnamed)


def display_matrix(frame: av.VideoFrame) -> bytes | None:
    """Return the nine numbers of 32 bits, or None. The frame stays in memory until the garbage collector comes."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    return None if matrix is None else bytes(matrix)
