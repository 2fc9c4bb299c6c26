"""Plans of models: written whole, and kept in a cache keyed by model, library version, GPUs and precision."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from engine.core.atomic_files import atomic_file
from engine.core.errors import ModelFileError
from engine.model.backends.plan_file import (
    LIBRARY,
    SUFFIX,
    Plan,
    PlanKey,
    cached_plans,
    file_sha256,
    first_reason,
    listener,
    load_library,
    plan_cache_folder,
    plan_content,
    read_plan,
)

__all__ = [
    "LIBRARY",
    "Plan",
    "PlanKey",
    "cached_plan",
    "file_sha256",
    "first_reason",
    "listener",
    "load_library",
    "prune",
    "write_plan",
]

MOST_PLANS = 16
"""Kept in the cache; those that were not used for longest go first."""
LOCK_FILE = ".lock"


def write_plan(plan: Plan, path: Path) -> None:
    """Write a plan file whole or not at all. Raises ModelFileError when it cannot be written."""
    try:
        with atomic_file(path) as partial:
            partial.write_bytes(plan_content(plan))
    except OSError as error:
        raise ModelFileError(f"Cannot write {path}: {error.strerror}; choose another place with -o.") from error


def cached_plan(
    key: PlanKey, name: str, build: Callable[[], Plan], folder: Path | None = None
) -> tuple[Path, Plan, bool]:
    """Return the plan of `key` with its path, and whether it was built now; `name` begins its file's name.

    One process builds at a time; those that want the same plan then find it. What is damaged, or not what its name says, is built again.
    Raises ModelFileError when the cache cannot be written, and what `build` raises.
    """
    folder = folder or plan_cache_folder()
    path = folder / f"{name}-{key.digest()}{SUFFIX}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / LOCK_FILE):
            plan = _fresh(path, key)
            if plan is not None:
                path.touch()
                return path, plan, False
            plan = build()
            write_plan(plan, path)
            prune(folder, keep=path)
    except OSError as error:
        raise ModelFileError(
            f"Cannot use the cache of plans {folder} ({error.strerror or error}); free some space or write elsewhere with -o."
        ) from error
    return path, plan, True


def prune(folder: Path, keep: Path, most: int = MOST_PLANS) -> None:
    """Remove all but the `most` plans used last, damaged ones first; `keep` stays whatever its age."""
    readable = [path for path, _ in cached_plans(folder)]
    kept = {keep, *[path for path in readable if path != keep][: most - 1]}
    for path in folder.glob(f"*{SUFFIX}"):
        if path not in kept:
            # A player may have it open, and where open files cannot be removed it stays until next time.
            with contextlib.suppress(OSError):
                path.unlink()


def _fresh(path: Path, key: PlanKey) -> Plan | None:
    """Return the plan at `path` if it is whole and of this key."""
    if not path.exists():
        return None
    try:
        plan = read_plan(path)
    except ModelFileError:
        return None
    return plan if plan.key == key else None
