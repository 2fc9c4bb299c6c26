"""Plan files: written atomically, and cached by model, library version, GPUs and precision."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from engine.core.errors import ModelFileError
from engine.model.backends.plan_file import (
    LIBRARY,
    SUFFIX,
    Plan,
    PlanKey,
    cached_plans,
    error_logger,
    file_sha256,
    first_reason,
    load_library,
    plan_cache_folder,
    plan_content,
    read_plan,
)
from export.targets.model_file import write_model_file

__all__ = [
    "LIBRARY",
    "Plan",
    "PlanKey",
    "cached_plan",
    "error_logger",
    "file_sha256",
    "first_reason",
    "load_library",
    "prune",
    "write_plan",
]

MOST_PLANS = 16
"""In the cache; the least recently used are removed first."""
LOCK_FILE = ".lock"


def write_plan(plan: Plan, path: Path) -> None:
    """Write a plan file atomically. Raises ModelFileError when it cannot be written."""
    write_model_file(plan_content(plan), path)


def cached_plan(
    key: PlanKey, name: str, build: Callable[[], Plan], folder: Path | None = None
) -> tuple[Path, Plan, bool]:
    """Return the plan of `key` with its path, and whether it was built now; the file's name begins with `name`.

    One process builds at a time; others that need the same plan then find it. A damaged or wrongly named plan is built again.
    Raises ModelFileError when the cache cannot be written, and what `build` raises.
    """
    folder = folder or plan_cache_folder()
    path = folder / f"{name}-{key.digest()}{SUFFIX}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / LOCK_FILE):
            plan = _intact(path, key)
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
    """Remove all but the `most` plans used last, damaged ones first. `keep` is never removed."""
    readable = [path for path, _ in cached_plans(folder)]
    remaining = {keep, *[path for path in readable if path != keep][: most - 1]}
    for path in folder.glob(f"*{SUFFIX}"):
        if path not in remaining:
            # A show may have it open; where open files cannot be removed, it stays until next time.
            with contextlib.suppress(OSError):
                path.unlink()


def _intact(path: Path, key: PlanKey) -> Plan | None:
    """Return the plan at `path` if it is intact and of this key."""
    if not path.exists():
        return None
    try:
        plan = read_plan(path)
    except ModelFileError:
        return None
    return plan if plan.key == key else None
