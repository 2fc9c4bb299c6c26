"""The file for which `--json` asks, checked before anything takes long."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from engine.core.atomic_files import check_writable
from engine.core.errors import TrainingError


def check_figures_file(path: Path, inputs: Iterable[Path]) -> None:
    """Raise TrainingError for a place that cannot be written, is one of the inputs, or is a file that does not end in .json."""
    for given in inputs:
        if path.exists() and given.exists() and path.samefile(given):
            raise TrainingError(
                f"--json is {path}, and would overwrite what is read from {given}; choose another place."
            )
    is_device = path.exists() and not path.is_file()
    if path.suffix != ".json" and not is_device:
        raise TrainingError(f"--json is {path}; a file that ends in .json was expected, such as {path.stem}.json.")
    try:
        check_writable(path)
    except OSError as error:
        raise TrainingError(f"Cannot write {path}: {error.strerror}; choose another place with --json.") from error
