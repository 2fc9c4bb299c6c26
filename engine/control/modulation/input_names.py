"""Names that no input of a show may have, because mappings and people would take them for something else."""

from __future__ import annotations

from collections.abc import Iterable

from engine.control.modulation.expression import FORMER_VARIABLES, FUNCTIONS, INPUT_FUNCTIONS, INPUT_VARIABLES, NAMES


def reserved_names(parameters: Iterable[str]) -> frozenset[str]:
    """Return the names of `parameters` and the words of expressions."""
    return frozenset((*parameters, *NAMES, *INPUT_VARIABLES, *FUNCTIONS, *INPUT_FUNCTIONS, *FORMER_VARIABLES))
