"""One trial: the state of its run folder, and the job that trains it in its own process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from engine.core.atomic_files import write_text
from engine.core.errors import TrainingError
from engine.core.small_files import read_lines
from engine.core.stop_signals import HANGUP, on_stop_signals
from training.logging.records import concluded
from training.loop.checkpoint import read_newest
from training.loop.resumption import as_begun, check_resumable
from training.loop.run import budget_used
from training.loop.run_folder import checkpoint_folders
from training.sweeps.plan import Trial

State = Literal["new", "interrupted", "finished"]
LOG_FILE = "log.txt"


def state_of(trial: Trial) -> State:
    """Return the state of a trial. Raises TrainingError when its folder holds a run with other settings."""
    if not checkpoint_folders(trial.folder):
        return "new"
    checkpoint, _ = read_newest(trial.folder)
    check_resumable(checkpoint, as_begun(trial.config, checkpoint.config))
    used = budget_used(trial.config, checkpoint.iterations, checkpoint.elapsed_s)
    return "finished" if used >= 1.0 and concluded(trial.folder, checkpoint.iterations) else "interrupted"


def config_file(trial: Trial) -> Path:
    """Return the path of the complete configuration of a trial; its job may start days later and reads it from there."""
    return trial.folder.parent / "configs" / f"{trial.name}.yaml"


def log_file(trial: Trial) -> Path:
    """Return the file that receives the output of a trial."""
    return trial.folder / LOG_FILE


def write_config(trial: Trial) -> None:
    """Write the configuration of a trial. Raises TrainingError when it cannot be written."""
    try:
        write_text(config_file(trial), yaml.safe_dump(trial.config.to_dict(), sort_keys=False))
    except OSError as error:
        raise TrainingError(
            f"Cannot write {config_file(trial)} ({error.strerror}); choose another runs_folder."
        ) from error


def command_of(trial: Trial, gpus: int, cache_folder: Path | None) -> list[str]:
    """Return the command that starts or resumes a trial."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(gpus)] if gpus > 1 else []
    argv = [sys.executable, *launcher, "-m", "training.train", str(config_file(trial))]
    argv += ["--run-folder", str(trial.folder)]
    if checkpoint_folders(trial.folder):
        argv += ["--resume", str(trial.folder)]
    if cache_folder is not None:
        argv += ["--cache-folder", str(cache_folder)]
    return argv


@dataclass
class TrialJob:
    """The job of a launcher. It is pickled, so it has no open process before it is called."""

    trial: Trial
    gpus: int
    cache_folder: Path | None = None
    process: subprocess.Popen[bytes] | None = None

    def __call__(self) -> int:
        """Train to the end and return the exit code; on an interrupt, let the training write its checkpoint first."""
        log = log_file(self.trial)
        log.parent.mkdir(parents=True, exist_ok=True)
        command = command_of(self.trial, self.gpus, self.cache_folder)
        environment = dict(os.environ)
        if self.gpus == 0:
            environment["CUDA_VISIBLE_DEVICES"] = ""
        with log.open("ab") as file:
            # In its own session: otherwise Ctrl-C in a terminal would reach the training twice, and the second one stops it at once.
            self.process = subprocess.Popen(
                command, stdout=file, stderr=subprocess.STDOUT, env=environment, start_new_session=True
            )
        try:
            # A terminal that is closed ends submitit's processes, but not the training, which has a session of its own.
            with on_stop_signals(_interrupt, (HANGUP,) if HANGUP else ()):
                return self.process.wait()
        finally:
            self._end()

    def checkpoint(self) -> Any:
        """submitit calls this when the job runs out of time or is preempted: the next job continues."""
        from submitit.helpers import DelayedSubmission

        self._end()
        return DelayedSubmission(TrialJob(self.trial, self.gpus, self.cache_folder))

    def _end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait()


def _interrupt(number: int) -> None:
    raise KeyboardInterrupt


def last_error(trial: Trial) -> str:
    """Return the last error that a trial printed, or the path of its log."""
    log = log_file(trial)
    if log.is_file():
        # A progress bar goes back to the beginning of its line.
        lines = (line for text in read_lines(log) for line in text.replace("\r", "\n").splitlines())
        found = deque((line for line in lines if line.startswith("error: ")), maxlen=1)
        if found:
            return found[0].removeprefix("error: ")
    return f"see {log}"
