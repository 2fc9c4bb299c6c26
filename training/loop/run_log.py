"""What a run asks of its log and of its report; training.logging and training.report have the real ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from training.data.video import ClipFormat
from training.loop.sound_samples import SampleSound
from training.loop.validation import Validation


class RunLog(Protocol):
    """The log of a run, open while the run trains. A write error does not end the run."""

    def add(self, terms: Mapping[str, Tensor], progress: float, elapsed_s: float) -> None:
        """Take the losses of one iteration; `progress` is the used share of the budget."""
        ...

    def log(self, iteration: int, elapsed_s: float, learning_rate: float) -> None:
        """Record the mean losses since the last call, if there are any."""
        ...

    def event(self, iteration: int, elapsed_s: float, name: str, **details: Any) -> None:
        """Record an event with the date."""
        ...

    def sample(self, iteration: int, elapsed_s: float, found: Validation, clip_format: ClipFormat) -> None:
        """Record a validation and write its samples."""
        ...

    def sound_sample(
        self, iteration: int, sound: SampleSound, frames_NHWC: NDArray[np.uint8], clip_format: ClipFormat
    ) -> None:
        """Write the video of a sound from outside the clip."""
        ...

    def try_write(self, what: str, write: Callable[[], object], otherwise: str = ...) -> str:
        """Call `write`; return the reason of a failure, or an empty string. Each first failure prints one line."""
        ...


OpenLog = Callable[[Path, int, int, int | None], AbstractContextManager[RunLog]]
"""Run folder, total iterations, iteration to continue from, last iteration whose validation is kept -> log."""


class Preview(Protocol):
    """Shows now and then how far a run is."""

    @property
    def seconds(self) -> float:
        """How much of the held-out part it wants to be played."""
        ...

    def is_due(self) -> bool:
        """Tell whether it is time for the next one, which is begun with this call."""
        ...

    def write(self, found: Validation) -> None:
        """Write the preview that was begun. Raises OSError."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class RunOutputs:
    """What a run writes beside its checkpoints."""

    open_log: OpenLog
    write_report: Callable[[Path], object]
    """Takes the run folder. Raises OSError."""
    preview: Preview | None = None


class SilentLog:
    """The log of all processes but the first: it writes and prints nothing."""

    def __init__(self, run_folder: Path, total_iterations: int, iteration: int, validated: int | None = None) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def add(self, terms: Mapping[str, Tensor], progress: float, elapsed_s: float) -> None:
        pass

    def log(self, iteration: int, elapsed_s: float, learning_rate: float) -> None:
        pass

    def event(self, iteration: int, elapsed_s: float, name: str, **details: Any) -> None:
        pass

    def sample(self, iteration: int, elapsed_s: float, found: Validation, clip_format: ClipFormat) -> None:
        pass

    def sound_sample(
        self, iteration: int, sound: SampleSound, frames_NHWC: NDArray[np.uint8], clip_format: ClipFormat
    ) -> None:
        pass

    def try_write(self, what: str, write: Callable[[], object], otherwise: str = "") -> str:
        """Call `write`, whose errors end the run: only the first process writes files."""
        write()
        return ""
