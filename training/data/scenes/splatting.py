"""Lays the light of many samples of a surface into a frame: where a surface is seen along itself, samples crowd and it shines.

Axes: P samples, L kinds of light, H W frame.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.data.scenes.sound_force import Array


def splat(x_P: Array, y_P: Array, lights_LP: Sequence[Array], height: int, width: int) -> list[Array]:
    """Share the light of each sample among the four pixels around it, one frame `[H, W, 1]` for each kind of light.

    x and y are in pixels; what lies outside is lost.
    """
    stride = width + 3
    # A border of a pixel takes what lies outside.
    x_P = np.clip(x_P.ravel() + np.float32(0.5), 0.0, width + 1.0)
    y_P = np.clip(y_P.ravel() + np.float32(0.5), 0.0, height + 1.0)
    left_P, top_P = x_P.astype(np.int64), y_P.astype(np.int64)
    right_part_P, lower_part_P = x_P - left_P, y_P - top_P
    at_P = top_P * stride + left_P
    parts_4P = [lower_part_P * right_part_P]
    parts_4P += [lower_part_P - parts_4P[0], right_part_P - parts_4P[0]]
    parts_4P += [1.0 - lower_part_P - parts_4P[2]]
    whole_L = [np.zeros((height + 3) * stride) for _ in lights_LP]
    for offset, part_P in zip((stride + 1, stride, 1, 0), parts_4P, strict=True):
        # The whole array shifted, rather than the places of all samples.
        for whole, light_P in zip(whole_L, lights_LP, strict=True):
            laid = np.bincount(at_P, light_P.ravel() * part_P, len(whole))
            whole[offset:] += laid[: len(whole) - offset]
    return [
        whole.reshape(height + 3, stride)[1 : height + 1, 1 : width + 1, None].astype(np.float32) for whole in whole_L
    ]
