"""The models that ship with the engine, each found by its name: `--model water`."""

from __future__ import annotations

import re
from pathlib import Path

from engine.core.errors import ModelFileError, nearest_name

FOLDER = Path(__file__).parent.parent / "models"
_BARE_NAME = re.compile(r"[\w-]{1,64}")


def shipped_models() -> dict[str, Path]:
    """Return the files of the shipped models by their names."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.onnx"))}


def model_path(given: str) -> str:
    """Return the path of the model that is meant: a shipped one by its name, or any file by its path.

    Raises ModelFileError for a bare name that is neither.
    """
    if not _BARE_NAME.fullmatch(given) or Path(given).is_file():
        return given
    shipped = shipped_models()
    if given not in shipped:
        raise ModelFileError(
            f"There is no model '{given}'.{nearest_name(given, shipped)} These ship: {', '.join(shipped)}; for another one give its "
            f"file, such as {given}.onnx."
        )
    return str(shipped[given])
