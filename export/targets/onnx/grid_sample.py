"""GridSample written as gathers, which every runtime has.

ONNX Runtime's CUDA provider has GridSample only in a domain of its own and for the layout NHWC, and no part of a step may leave the
card (engine/model/backends/onnx_cuda.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto, numpy_helper
from onnxscript import opset18

# N frames, C colours, H W rows and columns of the frame, h w rows and columns of the grid

op: Any = opset18
"""Its operators are typed for values; here each writes a node."""
BILINEAR, BORDER = 0, 1
"""torch's numbers of the interpolation and the padding that the graph is written for."""


def gathered(
    frame_NCHW: Any, grid_Nhw2: Any, interpolation_mode: int = 0, padding_mode: int = 0, align_corners: bool = False
) -> Any:
    """Write torch's grid_sampler: each place of the grid, from -1 to 1, shows the frame there, between its four pixels."""
    assert (interpolation_mode, padding_mode) == (BILINEAR, BORDER), "a family samples in another way"
    frames, colours, rows, columns = (int(size) for size in frame_NCHW.shape)
    _, height, width, _ = (int(size) for size in grid_Nhw2.shape)
    pixels = height * width
    along_x, along_y = op.Split(grid_Nhw2, axis=3, num_outputs=2)
    left, right, x = _between(op.Reshape(along_x, _shape(frames, 1, pixels)), columns, align_corners)
    top, bottom, y = _between(op.Reshape(along_y, _shape(frames, 1, pixels)), rows, align_corners)
    # Pixels by their number, colours side by side: a gather fetches all colours of a pixel at once.
    table = op.Reshape(op.Transpose(frame_NCHW, perm=[0, 2, 3, 1]), _shape(frames * rows * columns, colours))
    first = _whole(rows * columns * np.arange(frames).reshape(frames, 1, 1))

    def fetched(row: Any, column: Any) -> Any:
        number = op.Add(op.Add(op.Mul(row, _whole(np.array(columns))), column), first)
        found = op.Gather(table, op.Reshape(number, _shape(frames, pixels)), axis=0)
        return op.Transpose(found, perm=[0, 2, 1])

    upper = _mixed(fetched(top, left), fetched(top, right), x)
    lower = _mixed(fetched(bottom, left), fetched(bottom, right), x)
    return op.Reshape(_mixed(upper, lower, y), _shape(frames, colours, height, width))


def _between(places: Any, size: int, align_corners: bool) -> tuple[Any, Any, Any]:
    """Return the numbers of the pixels before and after each place along one axis, and how far it is from the first to the second."""
    scale, shift = ((size - 1) / 2, (size - 1) / 2) if align_corners else (size / 2, size / 2 - 0.5)
    at = op.Clip(op.Add(op.Mul(places, _number(scale)), _number(shift)), _number(0.0), _number(size - 1.0))
    # A place that is no number shows a pixel times no number, as GridSample does, where a gather would end the step.
    before = op.Floor(op.Where(op.Less(at, _number(float(size))), at, _number(0.0)))
    after = op.Min(op.Add(before, _number(1.0)), _number(size - 1.0))
    return op.Cast(before, to=TensorProto.INT32), op.Cast(after, to=TensorProto.INT32), op.Sub(at, before)


def _mixed(first: Any, second: Any, part: Any) -> Any:
    return op.Add(first, op.Mul(op.Sub(second, first), part))


def _number(value: float) -> Any:
    return op.Constant(value_float=float(value))


def _whole(values: Any) -> Any:
    return op.Constant(value=numpy_helper.from_array(values.astype(np.int32)))


def _shape(*sizes: int) -> Any:
    return op.Constant(value_ints=list(sizes))
