"""The flags and the configuration file that all trainings of diffusion models have alike."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from engine.core.errors import TrainingError
from engine.core.yaml_reading import read_yaml
from training.core.strict import build_config
from training.diffusion.weight_files import add_check_argument

Config = TypeVar("Config")


def add_run_arguments(parser: ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument("--weights", type=Path, metavar="FOLDER", required=True)
    add_check_argument(parser)
    parser.add_argument("--run-folder", type=Path, metavar="RUN", required=True)
    parser.add_argument("--config", type=Path, metavar="FILE.yaml")
    parser.add_argument("--resume", action="store_true", help="go on from the newest checkpoint of the run")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")


def read_run_config(path: Path | None, kind: type[Config]) -> Config:
    """Return the configuration in a YAML file, or the defaults. Raises TrainingError, naming the key, where it cannot be."""
    if path is None:
        return kind()
    try:
        values = read_yaml(path)
    except OSError as error:
        raise TrainingError(f"Cannot read {path}: {error.strerror}.") from error
    except ValueError as error:
        raise TrainingError(f"{path} is no YAML ({error}); mend it.") from error
    if not isinstance(values, Mapping):
        raise TrainingError(f"{path} holds {type(values).__name__}; keys and values were expected.")
    return build_config(kind, values)
