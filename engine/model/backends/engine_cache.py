"""Where backends keep what they compiled of a model file: one folder for each set of facts that the result depends on."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from engine.core.atomic_files import write_text

KEPT_FOLDERS = 8
"""Of each backend; the one unused for longest goes first."""
_FACTS = "facts.json"


def cache_root() -> Path:
    """Return $XDG_CACHE_HOME/fluid, by default under ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fluid"


def engine_folder(backend: str, facts: Mapping[str, str]) -> Path | None:
    """Return a folder for what `backend` compiles under just these facts; None where nothing can be written.

    Other facts, another folder: what was compiled by another version, for another card or from another file is never found.
    """
    text = json.dumps(dict(facts), indent=1, sort_keys=True)
    root = cache_root() / "engines" / backend
    folder = root / hashlib.sha256(text.encode()).hexdigest()[:32]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # For people who wonder what is in there; its time of change marks the folder as used.
        if (folder / _FACTS).is_file():
            (folder / _FACTS).touch()
        else:
            write_text(folder / _FACTS, text + "\n")
        forget_oldest(root)
    except OSError:
        return None
    return folder


def forget_oldest(root: Path) -> None:
    """Delete all folders under `root` but the KEPT_FOLDERS used last."""
    folders = sorted(root.iterdir(), key=_last_used, reverse=True)
    for folder in folders[KEPT_FOLDERS:]:
        shutil.rmtree(folder, ignore_errors=True)


def _last_used(folder: Path) -> float:
    facts = folder / _FACTS
    return facts.stat().st_mtime if facts.is_file() else 0.0
