"""Noise that depends on (seed, noise name, hop index) alone, so that a show can be replayed from any hop."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from engine.model.card import NoiseSpec

_WORD = (1 << 64) - 1
# Philox counts up from here while it draws; the hop index in the upper half keeps 2^128 draws between hops.
_INDEX_SHIFT = 128


def draw_noise(specs: Iterable[NoiseSpec], seed: int, index: int) -> dict[str, NDArray[np.float32]]:
    """Draw every noise of hop `index`: float32 arrays of the shapes and distributions that the card declares."""
    return {spec.name: _draw(spec, seed, index) for spec in specs}


def _draw(spec: NoiseSpec, seed: int, index: int) -> NDArray[np.float32]:
    key = (seed & _WORD) | (zlib.crc32(spec.name.encode()) << 64)
    generator = np.random.Generator(np.random.Philox(key=key, counter=index << _INDEX_SHIFT))
    if spec.distribution == "normal":
        return generator.standard_normal(spec.shape, dtype=np.float32)
    return generator.random(spec.shape, dtype=np.float32)
