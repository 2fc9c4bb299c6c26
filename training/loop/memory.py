"""One sentence for a lack of memory: how much was needed and which settings to lower."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import torch

from engine.core.errors import TrainingError
from training.families.registry import family
from training.loop.config import TrainConfig

SIGNS = ("allocate memory", "out of memory", "bad_alloc", "ALLOC_FAILED", "not enough memory")
"""How torch's allocators and its libraries word it; none has an error class of its own but CUDA's."""
FEWEST_FRAMES, SMALLEST_IMAGE_SIZE = 4, 32
UNITS = {"bytes": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


class OutOfMemory(TrainingError):
    """The machine or its accelerator has too little memory for these settings."""


@contextlib.contextmanager
def memory_watched(config: TrainConfig, doing: str) -> Iterator[None]:
    """Raise OutOfMemory for every kind of lack of memory inside."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not ran_out(error):
            raise
        raise OutOfMemory(sentence(error, config, doing)) from error


def ran_out(error: Exception) -> bool:
    """Tell a lack of memory from other errors."""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(sign in str(error) for sign in SIGNS)


def sentence(error: Exception, config: TrainConfig, doing: str) -> str:
    """Say how much was needed and which settings to lower, those that matter least for the frame first."""
    more = asked_bytes(str(error))
    wanted = f"; {more / 2**30:.1f} GiB more were needed" if more else ""
    where = "the CUDA device" if isinstance(error, torch.OutOfMemoryError) else "this machine"
    return (
        f"Out of memory of {where} {doing}{wanted}; lower {', or '.join(lower(config)) or 'nothing: use a larger one'}"
    )


def asked_bytes(message: str) -> int | None:
    """Return the bytes that an allocator says it was asked for, or None where it does not say."""
    found = re.search(r"(?:tried to|Unable to) allocate ([\d.]+) (\w+)", message, re.IGNORECASE)
    return round(float(found[1]) * UNITS[found[2]]) if found and found[2] in UNITS else None


def lower(config: TrainConfig) -> list[str]:
    """List what can be lowered: memory is proportional to streams times frames, and nearly so to image size and channels."""
    found: list[str] = []
    if config.sequences_per_batch > 1:
        found.append(f"sequences_per_batch (now {config.sequences_per_batch})")
    if config.sequence_frames > FEWEST_FRAMES:
        found.append(f"sequence_frames (now {config.sequence_frames})")
    if config.model.frame_size.short_side > SMALLEST_IMAGE_SIZE:
        found.append(f"model.image_size (now {config.model.image_size})")
    return found + family(config.model.family).lower_memory(config.model)
