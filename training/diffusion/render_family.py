"""What a diffusion model is to `python -m training.render`, and how it is found: the folder training/diffusion/NAME with the module
`family`, which defines FAMILY."""

from __future__ import annotations

import importlib
import pkgutil
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from engine.core.errors import TrainingError, nearest_name
from engine.core.structured import shortened
from training import diffusion
from training.diffusion.loaded import Loaded
from training.diffusion.progress import RenderProgress
from training.diffusion.weight_files import WeightFile

# S samples of sound, H W rows and columns of a frame

RENDER_RATE_HZ = 48000
"""Of the sound that families are given, and of the clip; a multiple of all their frame rates."""
PRECISIONS = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


@dataclass(frozen=True, slots=True)
class RenderJob:
    """What all families are asked for alike."""

    weights: Path
    sound_s: float
    """Length of the sound."""
    width: int
    height: int
    steps: int
    seed: int
    device: torch.device
    kind: torch.dtype
    """Of the numbers that the large networks compute with."""
    save_memory: bool

    @property
    def bytes_each(self) -> int:
        return self.kind.itemsize


@dataclass(frozen=True, slots=True)
class RenderPlan:
    """What a rendering will be, before anything is loaded."""

    about: str
    """Frames, size, rate and what they are made of, in one line."""
    weight_bytes: int
    """On the device at the same time."""
    peak_bytes: int
    """Beside the weights."""
    operations: int
    notices: tuple[str, ...] = ()
    """One sentence for each thing that is cut or padded."""
    kept_bytes: int = 0
    """Of the networks that are needed before, and stay beside the others where several clips are rendered."""
    lower: str = "--width and --height"
    """What a user can lower where the memory is too small."""


class Renderer(Protocol):
    """A model with its weights, ready to render: an offline family (training/families/offline.py)."""

    @property
    def name(self) -> str: ...

    @property
    def sample_rate_hz(self) -> int: ...

    @property
    def fps(self) -> int: ...

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...

    def render(self, sound_S: NDArray[np.float32]) -> Iterator[NDArray[np.uint8]]:
        """Yield the RGB frames [H, W, 3]."""
        ...


class RenderFamily(Protocol):
    """One kind of diffusion model."""

    about: str
    """One line for --help."""
    width: int
    height: int
    steps: int
    """Defaults of the original."""
    autoencoder: str
    """Path of the file of its autoencoder, among those of `weight_files`."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the flags that this family has beside the common ones."""
        ...

    def weight_files(self, arguments: Namespace) -> Sequence[WeightFile]:
        """Return the files that these arguments need."""
        ...

    def window_s(self, arguments: Namespace) -> float:
        """Return how many seconds of sound the model sees at once."""
        ...

    def plan(self, arguments: Namespace, job: RenderJob) -> RenderPlan:
        """Say what will be done, reading configurations and texts alone. Raises TrainingError for what cannot be rendered."""
        ...

    def open(self, arguments: Namespace, job: RenderJob, progress: RenderProgress, loaded: Loaded) -> Renderer:
        """Return what renders; `loaded` reads the weights. Raises TrainingError for files that do not fit."""
        ...


def family_names() -> list[str]:
    """Return the names of all families: the folders in training/diffusion."""
    return sorted(found.name for found in pkgutil.iter_modules(diffusion.__path__) if found.ispkg)


def render_family(name: str) -> RenderFamily:
    """Return the family of a name. Raises TrainingError where there is none, with the nearest name, or where its libraries are missing."""
    names = family_names()
    if name not in names:
        raise TrainingError(
            f"There is no family '{shortened(name)}' that renders clips.{nearest_name(name, names)} Choose from: {', '.join(names)}."
        )
    try:
        return importlib.import_module(f"{diffusion.__name__}.{name}.family").FAMILY
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in ("diffusers", "transformers"):
            raise
        raise TrainingError(
            f"'{name}' needs {error.name.split('.')[0]}, which is not installed; run: pip install -e '.[diffusion]'."
        ) from error
