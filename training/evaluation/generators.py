"""Load the generators to compare and the clip to compare them on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from engine.core.errors import TrainingError
from training.data.video import ClipFormat
from training.evaluation.evaluator import EvaluatedGenerator
from training.loop.checkpoint import LoadedGenerator, find_checkpoint, load_generator


def load_generators(
    paths: Sequence[Path], device: torch.device, labels: Sequence[str] = ()
) -> tuple[list[EvaluatedGenerator], list[LoadedGenerator]]:
    """Load every generator; `labels` are their names in tables and curves, by default run and iterations.

    Raises TrainingError when one cannot be loaded or their frame formats differ.
    """
    loaded = [load_generator(path) for path in paths]
    formats = [generator.config.clip_format() for generator in loaded]
    for path, shape in zip(paths, formats, strict=True):
        if shape != formats[0]:
            raise TrainingError(
                f"{path} generates {_describe(shape)}, {paths[0]} {_describe(formats[0])}; a comparison needs one format. Evaluate "
                f"them separately."
            )
    names = list(labels) or [_name(path, generator.iterations) for path, generator in zip(paths, loaded, strict=True)]
    if len(set(names)) < len(names):
        names = [f"{name} ({index + 1})" for index, name in enumerate(names)]
    generators = [
        EvaluatedGenerator(
            name, g.model.to(device), g.iterations, str(path), g.config.sequence_frames, g.config.clip.tuning_share
        )
        for name, g, path in zip(names, loaded, paths, strict=True)
    ]
    return generators, loaded


def _describe(shape: ClipFormat) -> str:
    crop = f" of the crop {list(shape.crop)}" if shape.crop else ""
    return f"{shape.image_size} pixels{crop} at {shape.fps} fps from {shape.sample_rate_hz} Hz"


def _name(path: Path, iterations: int) -> str:
    return f"{run_folder(path).resolve().name} @ {iterations}"


def run_folder(path: Path) -> Path:
    """Return the run folder of a numbered checkpoint, or the folder of any other checkpoint. Raises TrainingError."""
    folder = find_checkpoint(path)
    return folder.parent.parent if folder.name.isdigit() else folder
