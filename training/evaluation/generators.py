"""Load the generators to compare and the clip to compare them on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from engine.core.errors import TrainingError
from training.data.cache import load_clip
from training.data.video import Clip, ClipFormat
from training.evaluation.evaluator import EvaluatedGenerator
from training.loop.checkpoint import LoadedGenerator, find_checkpoint, load_generator


def load_generators(
    paths: Sequence[Path], device: torch.device
) -> tuple[list[EvaluatedGenerator], list[LoadedGenerator]]:
    """Load every generator. Raises TrainingError when one cannot be loaded or their frame formats differ."""
    loaded = [load_generator(path) for path in paths]
    formats = [generator.config.clip_format() for generator in loaded]
    for path, shape in zip(paths, formats, strict=True):
        if shape != formats[0]:
            raise TrainingError(
                f"{path} generates {_describe(shape)}, {paths[0]} {_describe(formats[0])}; a comparison needs one format. Evaluate "
                f"them separately."
            )
    names = [_name(path, generator.iterations) for path, generator in zip(paths, loaded, strict=True)]
    if len(set(names)) < len(names):
        names = [f"{name} ({index + 1})" for index, name in enumerate(names)]
    generators = [
        EvaluatedGenerator(name, g.model.to(device), g.iterations, str(path), g.config.sequence_frames)
        for name, g, path in zip(names, loaded, paths, strict=True)
    ]
    return generators, loaded


def _describe(shape: ClipFormat) -> str:
    crop = f" of the crop {list(shape.crop)}" if shape.crop else ""
    return f"{shape.image_size} pixels{crop} at {shape.fps} fps from {shape.sample_rate_hz} Hz"


def _name(path: Path, iterations: int) -> str:
    return f"{run_folder(path).resolve().name} @ {iterations}"


def load_shared_clip(loaded: Sequence[LoadedGenerator], given: Path | None, cache_folder: Path | None) -> Clip:
    """Return the clip. Raises TrainingError when none is given and the generators name none or different ones."""
    config = loaded[0].config
    trained_on = {generator.config.clip.path for generator in loaded}
    if given is None and len(trained_on) > 1:
        raise TrainingError(
            f"The checkpoints were trained on {', '.join(sorted(trained_on))}; choose the clip with --clip FILE."
        )
    if given is None and not config.clip.path:
        raise TrainingError("The checkpoint names no clip; give one with --clip FILE.")
    return load_clip(given or Path(config.clip.path), config.clip_format(), cache_folder)


def run_folder(path: Path) -> Path:
    """Return the run folder of a numbered checkpoint, or the folder of any other checkpoint. Raises TrainingError."""
    folder = find_checkpoint(path)
    return folder.parent.parent if folder.name.isdigit() else folder
