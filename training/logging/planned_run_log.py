"""The run log of a planned run: corrects the predicted number of iterations while the run trains."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from training.logging.run_log import RunLog

COMPARED_AT = (0.1, 0.3, 0.6)
"""Shares of the budget at which the prediction is compared."""
CLOSE = 1.25
"""A prediction within this factor is right enough."""


class PlannedRunLog(RunLog):
    """Prints one line whenever the iterations that the time allows turn out to be others than predicted."""

    def __init__(
        self, run_folder: Path, total_iterations: int, iteration: int, validated: int | None = None, *, predicted: int
    ) -> None:
        """`predicted` counts the iterations of this run of the command. Raises TrainingError as `RunLog`."""
        super().__init__(run_folder, total_iterations, iteration, validated)
        self.first, self.predicted = iteration, predicted
        self.began: float | None = None
        self.to_come = list(COMPARED_AT)

    def add(self, terms: Mapping[str, Tensor], progress: float, elapsed_s: float) -> None:
        """Take the losses of one iteration; compare where it is due."""
        super().add(terms, progress, elapsed_s)
        if self.began is None:
            self.began = progress
        share = (progress - self.began) / (1.0 - self.began) if self.began < 1.0 else 1.0
        if not self.to_come or share < self.to_come[0] or share >= 1.0:
            return
        self.to_come = [compared_at for compared_at in self.to_come if compared_at > share]
        expected = round((self.bar.n - self.first) / share)
        if not self.predicted / CLOSE <= expected <= self.predicted * CLOSE:
            why = "busier" if expected < self.predicted else "less busy"
            self.print_line(
                f"time      about {expected:,} iterations instead of {self.predicted:,}: the machine is {why} than it was at the start"
            )
            self.predicted = expected
