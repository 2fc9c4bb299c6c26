"""Checkpoints: a folder of safetensors and one JSON. Nothing in them is executed on load.

RUN/checkpoints/0001000/checkpoint.json         configuration, iteration, commit
                        generator.safetensors   the averaged weights: what is exported
                        training.safetensors    all else that resuming needs (absent in an imported model)
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.errors import TrainingError
from engine.model_card import Provenance
from training.config import TrainConfig
from training.streaming import StreamingModel, build_model
from training.strict import differing_keys

FORMAT = "fluid checkpoint 1"
DESCRIPTION_FILE, GENERATOR_FILE, TRAINING_FILE = "checkpoint.json", "generator.safetensors", "training.safetensors"
CHECKPOINTS_FOLDER = "checkpoints"


@dataclass(frozen=True, slots=True)
class LoadedGenerator:
    """A trained generator as it is exported: averaged weights, in evaluation mode, on the CPU."""

    model: StreamingModel
    config: TrainConfig
    iterations: int
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What resuming needs."""

    config: TrainConfig
    iterations: int
    elapsed_s: float
    generator: dict[str, Tensor]
    training: dict[str, Tensor]
    folder: Path = Path()
    """Where it was read from."""


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write `folder` under another name and rename it, so that a half-written checkpoint never bears its name.

    Raises TrainingError when it cannot be written.
    """
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        partial.mkdir(parents=True)
        save_file(_plain(checkpoint.generator), partial / GENERATOR_FILE)
        if checkpoint.training:
            save_file(_plain(checkpoint.training), partial / TRAINING_FILE)
        description = {
            "format": FORMAT,
            "iterations": checkpoint.iterations,
            "elapsed_s": checkpoint.elapsed_s,
            "commit": current_commit(),
            "config": checkpoint.config.to_dict(),
        }
        (partial / DESCRIPTION_FILE).write_text(json.dumps(description, indent=1))
        if folder.exists():
            shutil.rmtree(folder)
        partial.rename(folder)
    except (OSError, SafetensorError) as error:
        raise TrainingError(
            f"Cannot write the checkpoint {folder}: {error}; free some space or choose another --run-folder."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def save_generator(path: Path, model: StreamingModel, config: TrainConfig, iterations: int) -> None:
    """Write a checkpoint of a generator alone. Raises TrainingError when it cannot be written."""
    write_checkpoint(path, Checkpoint(config, iterations, 0.0, dict(model.state_dict()), {}))


def load_generator(path: Path) -> LoadedGenerator:
    """Build the generator of a checkpoint, or of the newest checkpoint of a run folder.

    Raises TrainingError for a folder that is no checkpoint, is damaged, or whose weights do not fit its configuration.
    """
    folder = find_checkpoint(path)
    description = _description(folder)
    config = _config(description, folder)
    model = build_model(config.model)
    load_weights(model, _tensors(folder / GENERATOR_FILE), folder)
    provenance = Provenance(
        source=config.clip_title() + (f" ({config.clip.source})" if config.clip.source else ""),
        licence=config.clip.licence,
        config=config.model.name,
        commit=str(description.get("commit", "unknown")),
        iterations=int(description["iterations"]),
    )
    return LoadedGenerator(model.eval(), config, provenance.iterations, provenance)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read all that resuming needs. Raises TrainingError as `load_generator`, and for an imported generator."""
    folder = find_checkpoint(path)
    description = _description(folder)
    if not (folder / TRAINING_FILE).is_file():
        raise TrainingError(f"{folder} holds a generator alone; it can be exported but not trained further.")
    return Checkpoint(
        config=_config(description, folder),
        iterations=int(description["iterations"]),
        elapsed_s=float(description.get("elapsed_s", 0.0)),
        generator=_tensors(folder / GENERATOR_FILE),
        training=_tensors(folder / TRAINING_FILE),
        folder=folder,
    )


def find_checkpoint(path: Path) -> Path:
    """Return `path` if it is a checkpoint, else the newest checkpoint of the run folder `path`. Raises TrainingError."""
    if (path / DESCRIPTION_FILE).is_file():
        return path
    numbered = checkpoint_folders(path)
    if not numbered:
        raise TrainingError(
            f"{path} is neither a checkpoint nor a run folder with checkpoints; training writes them to RUN/{CHECKPOINTS_FOLDER}/."
        )
    return numbered[-1]


def checkpoint_folders(run_folder: Path) -> list[Path]:
    """List the complete checkpoints of a run, oldest first."""
    found = (run_folder / CHECKPOINTS_FOLDER).glob(f"*/{DESCRIPTION_FILE}")
    return sorted((file.parent for file in found if file.parent.name.isdigit()), key=lambda folder: int(folder.name))


def checkpoint_folder(run_folder: Path, iterations: int) -> Path:
    """Name the checkpoint after so many iterations."""
    return run_folder / CHECKPOINTS_FOLDER / f"{iterations:07d}"


def prune_checkpoints(run_folder: Path, kept: int) -> None:
    """Delete all but the newest `kept` checkpoints of a run."""
    for folder in checkpoint_folders(run_folder)[:-kept]:
        shutil.rmtree(folder, ignore_errors=True)


def check_same_shape(saved: TrainConfig, wanted: TrainConfig, where: Path) -> None:
    """Raise TrainingError, naming the keys, when the networks of two configurations differ."""
    shapes = [{"model": c.to_dict()["model"], "discriminator": c.to_dict()["discriminator"]} for c in (saved, wanted)]
    differing = [key for key in differing_keys(*shapes) if key != "model.name"]
    if differing:
        raise TrainingError(
            f"{where} was trained with another {', '.join(differing)}; resume without a configuration or start a new run."
        )


def load_weights(module: StreamingModel, weights: Mapping[str, Tensor], where: Path) -> None:
    """Load a state dict. Raises TrainingError, naming a tensor, when it does not fit."""
    own = module.state_dict()
    for name in sorted({*own, *weights}):
        left, right = own.get(name), weights.get(name)
        if left is None or right is None or left.shape != right.shape:
            saved = "nothing" if right is None else list(right.shape)
            expected = "nothing" if left is None else list(left.shape)
            raise TrainingError(
                f"{where} holds {saved} for '{name}' where its configuration needs {expected}; train it again."
            )
    module.load_state_dict(dict(weights))


def current_commit() -> str:
    """Return the project's git commit, or "unknown" outside a checkout."""
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return answer.stdout.strip()


def _plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    # safetensors refuses tensors that share memory or are not contiguous.
    return {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}


def _description(folder: Path) -> dict[str, Any]:
    file = folder / DESCRIPTION_FILE
    try:
        values = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise TrainingError(f"{file} cannot be read ({error}); use an older checkpoint of the run.") from error
    if (
        not isinstance(values, dict)
        or values.get("format") != FORMAT
        or "config" not in values
        or "iterations" not in values
    ):
        found = values.get("format") if isinstance(values, dict) else type(values).__name__
        raise TrainingError(f"{file} is of format {found!r}; {FORMAT!r} was expected.")
    return values


def _config(description: Mapping[str, Any], folder: Path) -> TrainConfig:
    try:
        return TrainConfig.from_dict(description["config"])
    except TrainingError as error:
        raise TrainingError(f"{folder} was written by another version of this project: {error}") from error


def _tensors(file: Path) -> dict[str, Tensor]:
    try:
        return load_file(file)
    except (OSError, SafetensorError) as error:
        raise TrainingError(f"{file} is damaged or missing ({error}); use an older checkpoint of the run.") from error
