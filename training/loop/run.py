"""A run: train to the end of a budget, and write checkpoints, samples, log records and a report on the way."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

from engine.core.errors import TrainingError
from training.core import distributed
from training.core.compilation import compiling
from training.core.machine import machine
from training.core.run_state import not_finite
from training.data.footage import Footage, footage_sha256
from training.data.training_sound import segments_sound
from training.data.video import Clip
from training.loop.checkpoint import (
    Checkpoint,
    CheckpointNotWritten,
    ancestry,
    best_checkpoint,
    current_commit,
    write_checkpoint,
)
from training.loop.config import TrainConfig
from training.loop.memory import OutOfMemory, memory_watched
from training.loop.resumption import start_from
from training.loop.run_folder import checkpoint_folder, prune_checkpoints
from training.loop.run_log import RunLog, RunOutputs, SilentLog
from training.loop.sound_samples import load_sample_sounds, played
from training.loop.trainer import Diverged, build_trainer
from training.loop.validation import USUAL_LIMIT_S, Validation


class Run:
    """`run()` trains to the end of the budget."""

    def __init__(
        self,
        config: TrainConfig,
        footage: Footage | Clip,
        run_folder: Path,
        outputs: RunOutputs,
        resume: Checkpoint | None = None,
        start: Checkpoint | None = None,
    ) -> None:
        """Go on from `resume`, or begin again with the weights of `start`, or from nothing. Raises TrainingError as `Trainer`."""
        self.config, self.run_folder, self.outputs, self.resumed = config, run_folder, outputs, resume is not None
        rate_hz = config.clip_format().sample_rate_hz
        self.sample_sounds = load_sample_sounds(config.samples, rate_hz) if distributed.first() else ()
        with memory_watched(config, "while the networks were built"):
            self.trainer = build_trainer(config, footage, resume)
        self.notices = start_from(self.trainer, start) if start else []
        """What the record of the run shall say of its beginning."""
        self.started_from = ancestry(start) if start else resume.started_from if resume else ()
        self.training_sound = segments_sound(
            self.trainer.footage.training, config.clip_title(), config.augmentation.loudest_gain_db
        )
        self.clip_sha256 = footage_sha256(config.clip) if config.clip.path else ""
        self.elapsed_before_s, self.started_s = (resume.elapsed_s if resume else 0.0), time.monotonic()
        self.last_checkpoint: Path | None = resume.folder if resume else None
        self.validated: tuple[int, bool, Validation] | None = None
        self.agreed_progress = 0.0
        self.stop_requested = False
        """Set from outside (a signal) to finish the iteration, write a checkpoint and leave."""
        self.is_saving = False
        """Whether a checkpoint is being written."""
        self.time_left_s: Callable[[], float] | None = None
        """Set from outside: the seconds of training that are left, beside the limits of the configuration."""

    @property
    def elapsed_s(self) -> float:
        """Seconds trained, over all resumptions."""
        return self.elapsed_before_s + time.monotonic() - self.started_s

    def progress(self) -> float:
        """Return the share of the budget that is used up, 0 … 1."""
        left_s = self.time_left_s() if self.time_left_s else None
        return budget_used(self.config, self.trainer.iteration, self.elapsed_s, left_s)

    def run(self) -> Validation | None:
        """Train to the end of the budget, write a checkpoint and return the last validation; None after `stop_requested`, and
        in all processes but the first.

        Raises TrainingError, naming the last good checkpoint, when a loss is no longer a finite number, memory runs out
        or the last checkpoint cannot be written.
        """
        self.started_s = time.monotonic()
        iteration = self.trainer.iteration
        # All that a run which was killed at its very end still lacks is the last validation: it is made again.
        validated = iteration - 1 if self.progress() >= 1.0 else iteration
        open_log = self.outputs.open_log if distributed.first() else SilentLog
        with open_log(self.run_folder, self.config.total_iterations, iteration, validated) as run_log:
            self._began(run_log)
            try:
                found = self._train(run_log)
            except (Diverged, OutOfMemory, CheckpointNotWritten, distributed.Lost) as error:
                failure = TrainingError(self._where_to_go_on(error))
                self._ended(run_log, "failed", str(failure))
                raise failure from error
            self._ended(run_log, "finished" if found else "interrupted")
        return found

    def save(self) -> Path:
        """Write a checkpoint of this iteration, delete the oldest ones, and return its folder.

        Raises CheckpointNotWritten, and Diverged rather than keep weights that are no finite numbers.
        """
        folder = checkpoint_folder(self.run_folder, self.trainer.iteration)
        if self.last_checkpoint is None or folder.absolute() != self.last_checkpoint.absolute():
            found = self.trainer.checkpoint(self.elapsed_s)
            broken = not_finite(found.generator | found.training)
            if broken:
                raise Diverged(
                    f"'{broken}' is no finite number after {found.iterations} iterations and training stopped"
                )
            tuning_loss = self._tuning_loss(found.iterations)
            self.is_saving = True
            try:
                if distributed.first():
                    self._write(folder, found, tuning_loss)
            finally:
                self.is_saving = False
            self.last_checkpoint = folder
        return folder

    def _tuning_loss(self, iterations: int) -> float | None:
        # Whoever asks to stop wants the checkpoint now.
        if self.stop_requested or not distributed.first():
            return None
        with memory_watched(self.config, f"while iteration {iterations} played the tuning part"):
            return self.trainer.tuning_loss()

    def _write(self, folder: Path, found: Checkpoint, tuning_loss: float | None) -> None:
        write_checkpoint(
            folder,
            dataclasses.replace(
                found,
                clip_sha256=self.clip_sha256,
                started_from=self.started_from,
                tuning_loss=tuning_loss,
                training_sound=self.training_sound,
            ),
        )
        intervals = self.config.intervals
        best = best_checkpoint(self.run_folder)
        prune_checkpoints(self.run_folder, intervals.checkpoints_kept, intervals.milestone, best)

    def _goes_on(self) -> bool:
        """Decide, alike in all processes, whether there is another iteration."""
        self.agreed_progress, stopping = distributed.agree(self.progress(), self.stop_requested)
        if stopping:
            self.stop_requested = True
        return self.agreed_progress < 1.0 and not stopping

    def _train(self, run_log: RunLog) -> Validation | None:
        intervals, trainer = self.config.intervals, self.trainer
        if trainer.iteration == 0:
            with memory_watched(self.config, "before the first iteration"):
                trainer.begin(lambda: self.stop_requested, self.progress)
        while self._goes_on():
            with memory_watched(self.config, f"in iteration {trainer.iteration + 1}"), compiling():
                terms = trainer.step(self.agreed_progress)
            run_log.add(terms, self.progress(), self.elapsed_s)
            if _due(trainer.iteration, intervals.log):
                run_log.log(trainer.iteration, self.elapsed_s, trainer.learning_rate)
            self._preview(run_log)
            # The checkpoint comes last: whoever goes on from it finds all that belongs to its iteration.
            if _due(trainer.iteration, intervals.sample) and self.progress() < 1.0 and not self.stop_requested:
                self._sample(run_log)
            if _due(trainer.iteration, intervals.checkpoint) or _due(trainer.iteration, intervals.milestone):
                self._save_if_possible(run_log)
        run_log.log(trainer.iteration, self.elapsed_s, trainer.learning_rate)
        self.save()
        # Whoever asks to stop wants to leave now.
        return None if self.stop_requested else self._sample(run_log)

    def _save_if_possible(self, run_log: RunLog) -> None:
        reason = run_log.try_write("a checkpoint", self.save)
        if reason:
            run_log.event(self.trainer.iteration, self.elapsed_s, "checkpoint not written", why=reason)

    def _sample(self, run_log: RunLog) -> Validation | None:
        if not distributed.first():
            return None
        iteration = self.trainer.iteration
        whole = self.agreed_progress >= 1.0
        if self.validated is not None and self.validated[:2] == (iteration, whole):
            return self.validated[2]
        with memory_watched(self.config, f"while iteration {iteration} was validated"):
            # On the way a part is enough; the end is measured whole.
            found = self.trainer.validate(None if whole else USUAL_LIMIT_S)
        run_log.sample(iteration, self.elapsed_s, found, self.trainer.footage.format)
        self._play_sounds(run_log)
        self.validated = (iteration, whole, found)
        return found

    def _preview(self, run_log: RunLog) -> None:
        preview = self.outputs.preview
        if preview is None or not distributed.first() or self.stop_requested or not preview.is_due():
            return
        with memory_watched(self.config, f"while iteration {self.trainer.iteration} was previewed"):
            found = self.trainer.validate(preview.seconds)
        run_log.try_write("the preview", lambda: preview.write(found))

    def _play_sounds(self, run_log: RunLog) -> None:
        trainer = self.trainer
        for sound in self.sample_sounds:
            with memory_watched(self.config, f"while iteration {trainer.iteration} played the sound {sound.name}"):
                frames_NHWC = played(trainer.average, sound, self.config.sequence_frames)
            run_log.sound_sample(trainer.iteration, sound, frames_NHWC, trainer.footage.format)

    def _began(self, run_log: RunLog) -> None:
        what = "resumed" if self.resumed else "started"
        about = {"machine": machine(self.trainer.device), "commit": current_commit()}
        if self.started_from:
            about["from"] = [f"{each.title}, {each.iterations} iterations" for each in self.started_from]
        run_log.event(self.trainer.iteration, self.elapsed_s, what, **about)
        for notice in self.notices:
            run_log.event(self.trainer.iteration, self.elapsed_s, "notice", why=notice)

    def _ended(self, run_log: RunLog, what: str, why: str = "") -> None:
        run_log.event(self.trainer.iteration, self.elapsed_s, what, **({"why": why} if why else {}))
        if distributed.first():
            later = f"write it with python -m training.report {self.run_folder}"
            run_log.try_write("the report", lambda: self.outputs.write_report(self.run_folder), later)

    def _where_to_go_on(self, error: TrainingError) -> str:
        kept, rates = self.last_checkpoint, self.config.optimiser
        good = f"the last good checkpoint is {kept}" if kept else "there is no checkpoint yet"
        fresh_start = f"--from {kept} --run-folder NEW" if kept else "a new run"
        match error:
            case Diverged():
                lower = (
                    f"--set optimiser.lr_generator={rates.lr_generator / 2:g} "
                    f"--set optimiser.lr_discriminator={rates.lr_discriminator / 2:g}"
                )
                return f"{error}; {good}; try lower rates: {fresh_start} {lower}"
            case OutOfMemory():
                return f"{error}, with {fresh_start}; {good}."
            case _:
                again = f"go on with --resume {self.run_folder}" if kept else "train again"
                return f"{str(error).rstrip('.')}; {again}, {good}."


def budget_used(config: TrainConfig, iterations: int, elapsed_s: float, left_s: float | None = None) -> float:
    """Return the share of a run's budget that is used up, 0 … 1; `left_s` is a limit of time beside those of the configuration."""
    by_count = iterations / config.total_iterations
    by_time = 0.0 if config.minutes is None else elapsed_s / (60.0 * config.minutes)
    by_clock = 0.0 if left_s is None else 1.0 if left_s <= 0.0 else elapsed_s / (elapsed_s + left_s)
    return min(1.0, max(by_count, by_time, by_clock))


def _due(iteration: int, interval: int) -> bool:
    return interval > 0 and iteration % interval == 0
