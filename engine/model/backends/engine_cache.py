"""The cache of compiled models: one folder for each set of facts that the result depends on."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from engine.core.atomic_files import write_text
from engine.core.cache_folder import cache_root

MOST_FOLDERS = 8
"""Folders of each backend; the least recently used is removed first."""
_FACTS = "facts.json"


def engine_folder(backend: str, facts: Mapping[str, str]) -> Path | None:
    """Return the folder for what `backend` compiles under these facts; None where nothing can be written.

    Other facts have another folder, so results of another version, graphics card or model file are never used.
    """
    text = json.dumps(dict(facts), indent=1, sort_keys=True)
    root = cache_root() / "engines" / backend
    folder = root / hashlib.sha256(text.encode()).hexdigest()[:32]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # For people who look into the folder; its modification time marks the folder as used.
        if (folder / _FACTS).is_file():
            (folder / _FACTS).touch()
        else:
            write_text(folder / _FACTS, text + "\n")
        remove_oldest(root)
    except OSError:
        return None
    return folder


def remove_oldest(root: Path) -> None:
    """Delete all folders under `root` but the MOST_FOLDERS used last."""
    folders = sorted(root.iterdir(), key=_last_used, reverse=True)
    for folder in folders[MOST_FOLDERS:]:
        shutil.rmtree(folder, ignore_errors=True)


def _last_used(folder: Path) -> float:
    facts = folder / _FACTS
    return facts.stat().st_mtime if facts.is_file() else 0.0
