"""Checkpoints: a folder of safetensors and one JSON. Nothing in them is executed on load.

RUN/checkpoints/0001000/checkpoint.json         configuration, iteration, commit, checksums
                        generator.safetensors   the averaged weights: what is exported
                        training.safetensors    everything else that resuming needs (absent in an imported model)
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import math
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.core.atomic_files import atomic_folder
from engine.core.errors import TrainingError
from engine.core.small_files import check_file, read_bytes
from engine.core.structured import parse_json, shown, structure
from engine.model.card import Provenance
from engine.model.training_sound import TrainingSound
from training.core.front_end import settings_as_saved
from training.core.streaming import StreamingModel
from training.core.strict import config_dict, differing_keys
from training.families.family import build_model
from training.loop.config import TrainConfig, with_overrides
from training.loop.run_folder import DESCRIPTION_FILE, checkpoint_folders, find_checkpoint, is_checkpoint

FORMAT = "fluid checkpoint 1"
BEST = "the best, by its loss on the tuning part,"
LARGEST_DESCRIPTION_BYTES = 16 << 20
_MOST_ITERATIONS = 2**53
GENERATOR_FILE, TRAINING_FILE = "generator.safetensors", "training.safetensors"


class DamagedCheckpoint(TrainingError):
    """A checkpoint whose files are missing, cut short or changed since they were written."""

    def __init__(self, folder: Path, what: str) -> None:
        super().__init__(f"{what}; use an older checkpoint of the run.")
        self.folder, self.what = folder, what


class CheckpointNotWritten(TrainingError):
    """A checkpoint that could not be written: a full disk, a folder without permission."""

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(
            f"Cannot write the checkpoint {folder}: {reason}; free some space or choose another --run-folder."
        )
        self.reason = reason


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainedOn:
    """The clip, configuration and length of a run whose weights the next run started from."""

    title: str
    source: str
    licence: str
    config: str
    iterations: int


@dataclass(frozen=True, slots=True)
class LoadedGenerator:
    """A trained generator as it is exported: averaged weights, in evaluation mode, on the CPU."""

    model: StreamingModel
    config: TrainConfig
    iterations: int
    provenance: Provenance
    training_sound: TrainingSound | None = None
    """Levels of the sound it was trained on; None where the checkpoint does not say."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a run, as resuming needs it."""

    config: TrainConfig
    iterations: int
    elapsed_s: float
    generator: dict[str, Tensor]
    training: dict[str, Tensor]
    folder: Path = Path()
    """The folder it was read from."""
    clip_sha256: str = ""
    """Of the clip's file; empty when not known."""
    started_from: tuple[TrainedOn, ...] = ()
    """The runs before this one whose weights it started from, oldest first."""
    tuning_loss: float | None = None
    """The loss on the tuning part; None in a run without that part."""
    training_sound: TrainingSound | None = None
    """Levels of the sound that is trained, for the card of an export."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Description:
    """What checkpoint.json says."""

    iterations: int
    config: Mapping[str, Any]
    elapsed_s: float = 0.0
    commit: str = "unknown"
    clip_sha256: str = ""
    started_from: tuple[TrainedOn, ...] = ()
    tuning_loss: float | None = None
    """None, too, where it was not finite: JSON has no such number."""
    training_sound: TrainingSound | None = None
    sha256: Mapping[str, str] = field(default_factory=dict[str, str])
    """Checksums by file. Checkpoints written before there were any have none."""

    def __post_init__(self) -> None:
        if not 0 <= self.iterations <= _MOST_ITERATIONS or self.elapsed_s < 0:
            raise TrainingError(
                f"iterations is {self.iterations} and elapsed_s {self.elapsed_s:g}; neither can be negative, nor so large."
            )


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write `folder` atomically, with a checksum of each file.

    Raises CheckpointNotWritten when it cannot be written.
    """
    try:
        with atomic_folder(folder) as partial:
            save_file(_plain(checkpoint.generator), partial / GENERATOR_FILE)
            if checkpoint.training:
                save_file(_plain(checkpoint.training), partial / TRAINING_FILE)
            description = {
                "format": FORMAT,
                "iterations": checkpoint.iterations,
                "elapsed_s": checkpoint.elapsed_s,
                "commit": current_commit(),
                "clip_sha256": checkpoint.clip_sha256,
                "started_from": [config_dict(each) for each in checkpoint.started_from],
                "tuning_loss": _finite(checkpoint.tuning_loss),
                "training_sound": dataclasses.asdict(checkpoint.training_sound) if checkpoint.training_sound else None,
                "sha256": {file.name: _sha256(file) for file in sorted(partial.iterdir())},
                "config": checkpoint.config.to_dict(),
            }
            (partial / DESCRIPTION_FILE).write_text(json.dumps(description, indent=1))
    except (OSError, SafetensorError) as error:
        raise CheckpointNotWritten(folder, _reason(error)) from error


def _finite(loss: float | None) -> float | None:
    return loss if loss is not None and math.isfinite(loss) else None


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
    load_weights(model, _tensors(folder, GENERATOR_FILE, description), folder)
    runs = (*description.started_from, trained_on(config, description.iterations))
    provenance = Provenance(
        source="; then ".join(dict.fromkeys(f"{each.title}{_brackets(each.source)}" for each in runs)),
        licence=" and ".join(dict.fromkeys(each.licence for each in reversed(runs))),
        config=config.model.name,
        commit=description.commit,
        iterations=sum(each.iterations for each in runs),
    )
    return LoadedGenerator(model.eval(), config, description.iterations, provenance, description.training_sound)


def trained_on(config: TrainConfig, iterations: int) -> TrainedOn:
    """Return the record of a run for the runs that start from its weights."""
    clip = config.clip
    return TrainedOn(
        title=config.clip_title(),
        source=clip.source,
        licence=clip.licence,
        config=config.model.name,
        iterations=iterations,
    )


def ancestry(source: Checkpoint) -> tuple[TrainedOn, ...]:
    """Return what a run that starts from `source` records of the runs before it."""
    return (*source.started_from, trained_on(source.config, source.iterations))


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint, or the newest one of a run folder, for resuming.

    Raises TrainingError as `load_generator`, and for an imported generator.
    """
    checkpoint = read_start(path)
    if not checkpoint.training:
        raise TrainingError(
            f"{checkpoint.folder} holds a generator alone; export it, or start a run from its weights with --from."
        )
    return checkpoint


def read_start(path: Path) -> Checkpoint:
    """Read what starting a new run needs; an imported generator will do. Raises TrainingError as `load_generator`."""
    folder = find_checkpoint(path)
    description = _description(folder)
    complete = (folder / TRAINING_FILE).is_file() or TRAINING_FILE in description.sha256
    return Checkpoint(
        config=_config(description, folder),
        iterations=description.iterations,
        elapsed_s=description.elapsed_s,
        generator=_tensors(folder, GENERATOR_FILE, description),
        training=_tensors(folder, TRAINING_FILE, description) if complete else {},
        folder=folder,
        clip_sha256=description.clip_sha256,
        started_from=description.started_from,
        tuning_loss=description.tuning_loss,
        training_sound=description.training_sound,
    )


def best_checkpoint(run_folder: Path) -> Path | None:
    """Return the checkpoint of a run with the lowest loss on the tuning part, the newest of equals; None where none has such a loss."""
    losses: dict[Path, float] = {}
    for folder in reversed(checkpoint_folders(run_folder)):
        # A damaged description costs the choice, not the run.
        with contextlib.suppress(TrainingError):
            loss = _description(folder).tuning_loss
            if loss is not None:
                losses[folder] = loss
    return min(losses, key=losses.__getitem__) if losses else None


class ChosenCheckpoint(NamedTuple):
    """The checkpoint that stands for a run."""

    folder: Path
    reason: str
    """Which of its run it is; empty where it was named."""

    def lines(self) -> list[str]:
        """Return what to print about the choice."""
        return [f"checkpoint {self.folder}: {self.reason} of its run"] if self.reason else []


def chosen_checkpoint(path: Path) -> ChosenCheckpoint:
    """Return the checkpoint of a run that is exported, or `path` if it is a checkpoint. Raises TrainingError where there is none."""
    if is_checkpoint(path):
        return ChosenCheckpoint(path, "")
    if best := best_checkpoint(path):
        return ChosenCheckpoint(best, BEST)
    return ChosenCheckpoint(find_checkpoint(path), "the newest")


def read_newest(path: Path) -> tuple[Checkpoint, list[DamagedCheckpoint]]:
    """Read the newest undamaged checkpoint of a run; return it with the errors of the damaged ones after it.

    A checkpoint's own folder is read or refused. Raises TrainingError as `read_checkpoint`, and when all are damaged.
    """
    if is_checkpoint(path):
        return read_checkpoint(path), []
    damaged: list[DamagedCheckpoint] = []
    for folder in reversed(checkpoint_folders(path)):
        try:
            return read_checkpoint(folder), damaged
        except DamagedCheckpoint as error:
            damaged.append(error)
    if damaged:
        raise TrainingError(f"All {len(damaged)} checkpoints of {path} are damaged; the newest: {damaged[0]}")
    return read_checkpoint(path), []  # which says that there is none


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
                f"{where} was written by another version of the family '{module.family}': it holds {saved} for '{name}' where {expected} "
                "was expected; train it again."
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


def _description(folder: Path) -> _Description:
    file = folder / DESCRIPTION_FILE
    try:
        values = parse_json(read_bytes(file, LARGEST_DESCRIPTION_BYTES))
    except (OSError, ValueError) as error:
        raise DamagedCheckpoint(folder, f"{file} cannot be read ({_reason(error)})") from error
    found = values.get("format") if isinstance(values, dict) else values
    if not isinstance(values, dict) or found != FORMAT or "config" not in values or "iterations" not in values:
        raise TrainingError(f"{file} is of format {shown(found)}; {FORMAT!r} was expected.")
    known = {field.name for field in dataclasses.fields(_Description)}
    try:
        return structure(_Description, {key: value for key, value in values.items() if key in known}, TrainingError)
    except TrainingError as error:
        raise DamagedCheckpoint(folder, f"{file} is damaged: {str(error).rstrip('.')}") from error


def _config(description: _Description, folder: Path) -> TrainConfig:
    try:
        return TrainConfig.from_dict(_as_saved(description.config))
    except TrainingError as error:
        raise TrainingError(f"{folder} was written by another version of this project: {error}") from error


def _as_saved(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the configuration of a checkpoint with what its settings meant when it was written."""
    if isinstance(config.get("clip"), Mapping):
        # The version before had no tuning part; its runs keep their two parts.
        config = {**config, "clip": {"tuning_share": 0.0, **config["clip"]}}
    try:
        return with_overrides(config, {"model.front_end": settings_as_saved(config["model"]["front_end"])})
    except (KeyError, TypeError, AttributeError):
        return config  # refused, or complete without it


def _tensors(folder: Path, name: str, description: _Description) -> dict[str, Tensor]:
    """Read one file; checkpoints written before there were checksums are trusted."""
    file, written = folder / name, description.sha256.get(name)
    try:
        check_file(file)
        if written is not None and _sha256(file) != written:
            raise OSError("its content is not what was written")
        return load_file(file)
    except (OSError, SafetensorError) as error:
        raise DamagedCheckpoint(folder, f"{file} is damaged or missing ({_reason(error)})") from error


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).removeprefix("Error while serializing: ").removeprefix("I/O error: ")


def _brackets(text: str) -> str:
    return f" ({text})" if text else ""
