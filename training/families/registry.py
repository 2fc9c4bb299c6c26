"""Find a family by its name: the folder training/families/NAME with the module `family`, which defines FAMILY."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

from engine.core.errors import TrainingError, nearest_name
from engine.core.structured import shortened
from training import families

if TYPE_CHECKING:
    from training.families.family import Family

DEFAULT_FAMILY = "listen_and_move"
"""Of configurations and checkpoints that name none."""


def family_names() -> list[str]:
    """Return the names of all families: the folders in training/families."""
    return sorted(found.name for found in pkgutil.iter_modules(families.__path__) if found.ispkg)


def family(name: str) -> Family:
    """Return the family of a name. Raises TrainingError, with the nearest name, when there is none."""
    names = family_names()
    if name not in names:
        raise TrainingError(
            f"There is no family '{shortened(name)}'.{nearest_name(name, names)} Choose from: {', '.join(names)}."
        )
    return importlib.import_module(f"{families.__name__}.{name}.family").FAMILY
