"""Python functions that a command line names, as MODULE:FUNCTION: networks that a user has and this project does not bring."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import TrainingError

# T frames, H W rows and columns, C colours


def load_function(name: str, flag: str) -> Callable[..., object]:
    """Return the function `module:function` that a flag names. Raises TrainingError where there is none."""
    module_name, _, function = name.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise TrainingError(f"{flag} {name} cannot be had: {error}; give it as MODULE:FUNCTION.") from error
    if not callable(found):
        raise TrainingError(f"{flag} {name} is no function; give it as MODULE:FUNCTION.")
    return found


def short_name(name: str) -> str:
    """Return a function's name with that of its module, without the packages around it."""
    return name.rpartition(".")[2]


def number_a_frame(
    name: str, function: Callable[..., object], frames_THWC: NDArray[np.uint8], *others: object
) -> NDArray[np.float64]:
    """Call a function with frames and what belongs to them, and return its numbers [T].

    Raises TrainingError, with `name` in its sentence, where they are not one finite number for each frame.
    """
    found = numbers(name, function(frames_THWC, *others))
    if found.shape != (len(frames_THWC),) or not all(map(math.isfinite, found.tolist())):
        raise TrainingError(
            f"{name} returned values of shape {list(found.shape)} for {len(frames_THWC)} frames; one finite number for each was expected."
        )
    return found


def numbers(name: str, returned: object) -> NDArray[np.float64]:
    """Return what a function gave as an array. Raises TrainingError where that is no array of numbers."""
    try:
        return np.asarray(returned, np.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TrainingError(
            f"{name} returned {type(returned).__name__} that is no array of numbers ({str(error).splitlines()[0]}); a NumPy array was expected."
        ) from error
