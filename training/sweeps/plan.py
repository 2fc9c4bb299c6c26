"""The sweep file: clips × configurations × seeds; each combination is one trial with its own run folder."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.core.errors import TrainingError
from engine.core.structured import shown
from engine.core.yaml_reading import read_yaml
from training.core.strict import build_config, config_dict
from training.data.config import ClipConfig
from training.loop.config import TrainConfig, load_train_config

LONGEST_NAME = 100
"""A trial's folder has the names of clip and configuration and its seed in its own."""
NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_.-]{{0,{LONGEST_NAME - 1}}}")


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipChoice:
    """A clip of the sweep."""

    name: str
    clip: ClipConfig
    """Its tuning_share, unless it is the default, goes before that of configuration and `set`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfigChoice:
    """A configuration of the sweep: a file, and dotted keys that override it."""

    name: str
    file: str
    set: dict = field(default_factory=dict)  # type: ignore[type-arg]


@dataclass(frozen=True, kw_only=True, slots=True)
class LaunchConfig:
    """How to run the trials."""

    parallel: int = 1
    """Number of trials at the same time."""
    gpus: int = 1
    """GPUs per trial. torchrun starts trials with more than one, with a process for each GPU. 0 trains on the CPU."""
    hours: float = 24.0
    """Slurm's time limit for one job; a longer trial continues in the next job from its checkpoint."""
    slurm: dict = field(default_factory=dict)  # type: ignore[type-arg]
    """Further options of sbatch: partition, account, cpus_per_task, mem …"""

    def __post_init__(self) -> None:
        if self.parallel < 1 or self.gpus < 0 or self.hours <= 0:
            raise TrainingError(
                f"launch has parallel {self.parallel}, gpus {self.gpus} and hours {self.hours}; at least 1, 0 and more than 0 were expected."
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepConfig:
    """The content of a sweep file."""

    runs_folder: str
    """Folder for the run folders and the table."""
    clips: tuple[ClipChoice, ...]
    configs: tuple[ConfigChoice, ...]
    seeds: tuple[int, ...] = (0,)
    set: dict = field(default_factory=dict)  # type: ignore[type-arg]
    """Dotted keys for all trials."""
    launch: LaunchConfig = field(default_factory=LaunchConfig)

    def __post_init__(self) -> None:
        for section, names in (
            ("clips", [clip.name for clip in self.clips]),
            ("configs", [config.name for config in self.configs]),
            ("seeds", [str(seed) for seed in self.seeds]),
        ):
            _check_names(section, names)


@dataclass(frozen=True, slots=True)
class Trial:
    """One training of a sweep."""

    name: str
    clip: str
    choice: str
    """Name of the configuration."""
    config: TrainConfig
    folder: Path
    """Its run folder."""


def load_sweep(path: Path) -> SweepConfig:
    """Read a sweep file. Raises TrainingError for a missing file, unknown keys and wrong types."""
    try:
        values = read_yaml(path)
    except OSError as error:
        raise TrainingError(f"Cannot read the sweep {path}: {error.strerror}; configs/sweep/ has examples.") from error
    except ValueError as error:
        raise TrainingError(f"{path} is not YAML: {error}.") from error
    if not isinstance(values, dict):
        raise TrainingError(f"{path} holds {type(values).__name__}; a mapping of settings was expected.")
    missing = [f.name for f in _required(SweepConfig) if f.name not in values]
    if missing:
        raise TrainingError(f"{path} has no {', '.join(missing)}; runs_folder, clips and configs are needed.")
    _check_entries(path, values)
    try:
        return build_config(SweepConfig, values)
    except TrainingError as error:
        raise TrainingError(f"{path}: {error}") from error


def trials_of(sweep: SweepConfig, where: Path) -> list[Trial]:
    """Return all trials with their complete configuration.

    Raises TrainingError, with the trial's name, for a configuration or clip that is missing or wrong.
    """
    trials: list[Trial] = []
    for clip, choice, seed in itertools.product(sweep.clips, sweep.configs, sweep.seeds):
        name = f"{clip.name}-{choice.name}" + (f"-seed{seed}" if len(sweep.seeds) > 1 else "")
        overrides: dict[str, Any] = {**choice.set, **sweep.set, **_clip_settings(clip.clip), "seed": seed}
        try:
            config = load_train_config(Path(choice.file), overrides)
            check_clip(config)
        except TrainingError as error:
            raise TrainingError(f"{where}, trial {name}: {error}") from error
        # Checkpoints and exported models carry this name.
        config = dataclasses.replace(config, model=dataclasses.replace(config.model, name=name))
        trials.append(Trial(name, clip.name, choice.name, config, Path(sweep.runs_folder) / name))
    return trials


def _clip_settings(clip: ClipConfig) -> dict[str, Any]:
    """Return the dotted settings of a clip. How it is divided is the configuration's to say, where the clip says nothing else."""
    settings = {f"clip.{name}": value for name, value in config_dict(clip).items()}
    if clip.tuning_share == ClipConfig().tuning_share:
        del settings["clip.tuning_share"]
    return settings


def check_clip(config: TrainConfig) -> None:
    """Raises TrainingError for a configuration without a clip and for a clip that does not exist."""
    if not config.clip.paths():
        raise TrainingError("the clip has no path; a video file was expected.")
    for path in config.clip.paths():
        if not path.exists():
            raise TrainingError(f"the clip {path} does not exist; give the path of a video file.")


def _check_names(section: str, names: list[str]) -> None:
    if not names:
        raise TrainingError(f"'{section}' is empty; at least one entry was expected.")
    for name in names:
        if section != "seeds" and not NAME.fullmatch(name):
            raise TrainingError(
                f"The name {shown(name)} in '{section}' cannot be the name of a folder; at most {LONGEST_NAME} letters, digits, dots, "
                "dashes and _ were expected."
            )
        if names.count(name) > 1:
            raise TrainingError(f"'{section}' has {shown(name)} twice; each may appear only once.")


def _check_entries(path: Path, values: dict[str, Any]) -> None:
    for section, kind in (("clips", ClipChoice), ("configs", ConfigChoice)):
        for number, entry in enumerate(values[section] if isinstance(values[section], list) else (), 1):
            for required in _required(kind):
                if isinstance(entry, dict) and required.name not in entry:
                    raise TrainingError(f"{path}: entry {number} of '{section}' has no {required.name}.")


def _required(kind: type) -> Iterable[dataclasses.Field[Any]]:
    absent = dataclasses.MISSING
    return (f for f in dataclasses.fields(kind) if f.default is absent and f.default_factory is absent)
