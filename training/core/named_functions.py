"""Python functions that a command line names, as MODULE:FUNCTION: networks that a user has and this project does not bring."""

from __future__ import annotations

import importlib
import math
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import TrainingError

# T frames, H W rows and columns, C colours


def load_function(name: str, flag: str) -> Callable[..., object]:
    """Return the function `module:function` that a flag names. Raises TrainingError where there is none, or its module fails."""
    module_name, _, function = name.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise TrainingError(f"{flag} {name} cannot be had: {error}; give it as MODULE:FUNCTION.") from error
    except Exception as error:
        # Any: what a user's module does while it is read, as open a file that is not there.
        raise TrainingError(f"{flag} {name} cannot be had: {_reason(error)}; mend the module.") from error
    if not callable(found):
        raise TrainingError(f"{flag} {name} is no function; give it as MODULE:FUNCTION.")
    return found


def short_name(name: str) -> str:
    """Return a function's name with that of its module, without the packages around it."""
    return name.rpartition(".")[2]


def called(name: str, function: Callable[..., object], *given: object) -> object:
    """Return what a user's function returns. Raises TrainingError, with `name` in its sentence, where it fails."""
    try:
        return function(*given)
    except Exception as error:
        raise TrainingError(f"{name} failed: {_reason(error)}; call it by itself to find out why.") from error


def number_a_frame(
    name: str, function: Callable[..., object], frames_THWC: NDArray[np.uint8], *others: object
) -> NDArray[np.float64]:
    """Call a function with frames and what belongs to them, and return its numbers [T].

    Raises TrainingError, with `name` in its sentence, where they are not one finite number for each frame.
    """
    found = numbers(name, called(name, function, frames_THWC, *others))
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


def _reason(error: Exception) -> str:
    """Return an error with its first line, and where it was raised."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    first = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first} ({Path(place.filename).name}, line {place.lineno})"
