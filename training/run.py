"""A run: train to the end of a budget, and leave checkpoints, samples and statistics on the way."""

from __future__ import annotations

import time
from pathlib import Path

from engine.errors import TrainingError
from training.checkpoint import Checkpoint, checkpoint_folder, prune_checkpoints, write_checkpoint
from training.config import TrainConfig
from training.data.video import Clip
from training.journal import Journal
from training.trainer import Diverged, Trainer
from training.validation import Validation


class Run:
    """`run()` trains to the end of the budget."""

    def __init__(self, config: TrainConfig, clip: Clip, run_folder: Path, resume: Checkpoint | None = None) -> None:
        """Raises TrainingError as `Trainer`."""
        self.config, self.clip, self.run_folder = config, clip, run_folder
        self.trainer = Trainer(config, clip, resume)
        self.elapsed_before_s, self.started_s = (resume.elapsed_s if resume else 0.0), time.monotonic()
        self.last_checkpoint: Path | None = resume.folder if resume else None
        self.validated: tuple[int, Validation] | None = None
        self.stop_requested = False
        """Set from outside (Ctrl-C) to finish the iteration, write a checkpoint and leave."""

    @property
    def elapsed_s(self) -> float:
        """Seconds trained, over all resumptions."""
        return self.elapsed_before_s + time.monotonic() - self.started_s

    def progress(self) -> float:
        """Return the share of the budget that is used up, 0 … 1."""
        by_count = self.trainer.iteration / self.config.total_iterations
        by_time = 0.0 if self.config.minutes is None else self.elapsed_s / (60.0 * self.config.minutes)
        return min(1.0, max(by_count, by_time))

    def run(self) -> Validation | None:
        """Train to the end of the budget, write a checkpoint and return the last validation; None after `stop_requested`.

        Raises TrainingError, naming the last checkpoint, when a loss is no longer a finite number.
        """
        intervals, trainer = self.config.intervals, self.trainer
        self.started_s = time.monotonic()
        with Journal(self.run_folder, self.config.total_iterations, trainer.iteration) as journal:
            while self.progress() < 1.0 and not self.stop_requested:
                try:
                    terms = trainer.step(self.progress())
                except Diverged as error:
                    raise TrainingError(self._where_to_go_on(error)) from error
                journal.add(terms, self.progress(), self.elapsed_s)
                if _due(trainer.iteration, intervals.log):
                    journal.log(trainer.iteration, self.elapsed_s, trainer.learning_rate)
                if _due(trainer.iteration, intervals.checkpoint):
                    self.save()
                if _due(trainer.iteration, intervals.sample):
                    self._sample(journal)
            journal.log(trainer.iteration, self.elapsed_s, trainer.learning_rate)
            self.save()
            # Whoever asks to stop wants to leave now.
            return None if self.stop_requested else self._sample(journal)

    def save(self) -> Path:
        """Write a checkpoint of this iteration, delete the oldest ones, and return its folder."""
        folder = checkpoint_folder(self.run_folder, self.trainer.iteration)
        if folder != self.last_checkpoint:
            write_checkpoint(folder, self.trainer.checkpoint(self.elapsed_s))
            prune_checkpoints(self.run_folder, self.config.intervals.checkpoints_kept)
            self.last_checkpoint = folder
        return folder

    def _sample(self, journal: Journal) -> Validation:
        iteration = self.trainer.iteration
        if self.validated is not None and self.validated[0] == iteration:
            return self.validated[1]
        found = self.trainer.validate()
        journal.sample(iteration, self.elapsed_s, found, self.clip, self.trainer.validation_fold)
        self.validated = (iteration, found)
        return found

    def _where_to_go_on(self, error: Diverged) -> str:
        kept = (
            f"the last checkpoint is {self.last_checkpoint}" if self.last_checkpoint else "there is no checkpoint yet"
        )
        return f"{error}; {kept}. Lower optimiser.lr_generator and lr_discriminator."


def _due(iteration: int, interval: int) -> bool:
    return interval > 0 and iteration % interval == 0
