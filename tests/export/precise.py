"""A small model traced once, and real sound files, for the tests of precision, drift and verification."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from export.targets.onnx.trace import trace
from export.verification.graph import StepGraph
from export.verification.parity import probe_sound
from tests.training.clips import RATE_HZ, write_wav
from tests.training.models import small_model

WIDE = {"channels_base": 128, "channels_min": 32, "canvas": True, "canvas_rank": 3, "resonators": 3}
"""Wide enough that int8 takes the convolutions."""


@functools.cache
def traced() -> tuple[StepGraph, bytes]:
    """Return the graph of a small model and its float32 program, serialised."""
    graph = StepGraph(small_model(**WIDE))
    return graph, trace(graph).SerializeToString()


def program() -> onnx.ModelProto:
    return onnx.ModelProto.FromString(traced()[1])


def sound(seconds: float = 3.0) -> NDArray[np.float32]:
    return probe_sound(round(seconds * RATE_HZ), RATE_HZ)


def sound_file(folder: Path, seconds: float = 3.0) -> Path:
    return write_wav(folder / "sound.wav", sound(seconds))
