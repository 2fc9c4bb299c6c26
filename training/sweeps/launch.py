"""Run trials through submitit, on this machine or as Slurm jobs."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from engine.core.errors import TrainingError
from engine.core.stop_signals import StopFlag
from training.sweeps.plan import LaunchConfig, Trial
from training.sweeps.trial import TrialJob

ExecutorKind = Literal["local", "slurm"]
JOBS_FOLDER = "jobs"
POLL_S = {"local": 0.2, "slurm": 10.0}
UNLIMITED_MINUTES = 60 * 24 * 365
MOST_JOBS_A_TRIAL = 1000


def executor_of(kind: ExecutorKind, launch: LaunchConfig, folder: Path) -> Any:
    """Return submitit's executor. Raises TrainingError when it is not installed, does not work here or refuses an option."""
    if sys.platform == "win32":
        raise TrainingError("submitit runs sweeps and needs Linux or macOS; run them there or in WSL.")
    try:
        import submitit
    except ImportError as error:
        raise TrainingError('submitit runs sweeps and is not installed; pip install -e ".[sweep]".') from error
    jobs = folder / JOBS_FOLDER
    if kind == "local":
        return submitit.LocalExecutor(jobs)
    try:
        executor = submitit.SlurmExecutor(jobs, max_num_timeout=MOST_JOBS_A_TRIAL)
        gpus = {"gpus_per_node": launch.gpus} if launch.gpus else {}
        own = {"time": round(60 * launch.hours), "array_parallelism": launch.parallel, "signal_delay_s": 300, **gpus}
        executor.update_parameters(**{**own, **launch.slurm})
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise TrainingError(
            f"Slurm cannot be used: {reason}; start the sweep on a login node, or use --executor local."
        ) from error
    return executor


def run_all(
    executor: Any,
    kind: ExecutorKind,
    trials: Sequence[Trial],
    launch: LaunchConfig,
    cache_folder: Path | None,
    stop: StopFlag,
) -> Iterator[tuple[Trial, int]]:
    """Run all trials and yield each with its exit code when it ends. Once `stop` is set, trials write checkpoints and end."""
    waiting = [(trial, TrialJob(trial, launch.gpus, cache_folder)) for trial in trials]
    running: dict[int, tuple[Trial, Any]] = {}
    try:
        if kind == "slurm":
            # One job array: Slurm itself runs at most `parallel` of them at a time.
            with executor.batch():
                running = {number: (trial, executor.submit(job)) for number, (trial, job) in enumerate(waiting)}
            waiting = []
        while (waiting or running) and not stop.is_set():
            while waiting and len(running) < launch.parallel:
                trial, job = waiting.pop(0)
                slot = next(number for number in range(launch.parallel) if number not in running)
                running[slot] = (trial, _submit_here(executor, job, slot, launch))
            for number, (trial, job) in list(running.items()):
                if job.done():
                    del running[number]
                    yield trial, _exit_code(job)
            time.sleep(POLL_S[kind])
    finally:
        _cancel(job for _, job in running.values())


def _submit_here(executor: Any, job: TrialJob, slot: int, launch: LaunchConfig) -> Any:
    """Submit to this machine; trials that run at the same time get separate GPUs."""
    first, count = slot * launch.gpus, launch.gpus
    executor.update_parameters(
        timeout_min=UNLIMITED_MINUTES, gpus_per_node=count, visible_gpus=tuple(range(first, first + count))
    )
    return executor.submit(job)


def _exit_code(job: Any) -> int:
    from submitit.core.utils import FailedJobError, UncompletedJobError

    try:
        return int(job.result())
    except (FailedJobError, UncompletedJobError):
        return 1


def _cancel(jobs: Iterable[Any]) -> None:
    for job in jobs:
        job.cancel()
