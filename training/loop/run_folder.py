"""The files of a run folder.

RUN/config.yaml       the resolved configuration
    stats.jsonl       losses, validations and events, one line each
    tensorboard/      the same, with frames and sound
    samples/          contact sheets and videos with sound
    checkpoints/      0001000/ …, the newest few and the milestones
    report.html       all of it on one page
    evaluation/       what an evaluation measured, if there was one
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from engine.core.atomic_files import remove_folder, sweep
from engine.core.errors import TrainingError

CONFIG_FILE, STATS_FILE, REPORT_FILE, LOCK_FILE = "config.yaml", "stats.jsonl", "report.html", ".lock"
SAMPLES_FOLDER, TENSORBOARD_FOLDER, EVALUATION_FOLDER = "samples", "tensorboard", "evaluation"
CHECKPOINTS_FOLDER, DESCRIPTION_FILE = "checkpoints", "checkpoint.json"
DAMAGED_SUFFIX = ".damaged"


def checkpoint_folder(run_folder: Path, iterations: int) -> Path:
    """Name the checkpoint after so many iterations."""
    return run_folder / CHECKPOINTS_FOLDER / f"{iterations:07d}"


def checkpoint_folders(run_folder: Path) -> list[Path]:
    """List the complete checkpoints of a run, oldest first."""
    found = (run_folder / CHECKPOINTS_FOLDER).glob(f"*/{DESCRIPTION_FILE}")
    return sorted((file.parent for file in found if file.parent.name.isdigit()), key=lambda folder: int(folder.name))


def sound_sample_name(iteration: int, name: str) -> str:
    """Name the video of a sound from outside the clip."""
    return f"{iteration:07d}-{name}.mp4"


def find_checkpoint(path: Path) -> Path:
    """Return `path` if it is a checkpoint, else the newest checkpoint of the run folder `path`. Raises TrainingError."""
    if is_checkpoint(path):
        return path
    numbered = checkpoint_folders(path)
    if not numbered:
        raise TrainingError(
            f"{path} is neither a checkpoint nor a run folder with checkpoints; training writes them to RUN/{CHECKPOINTS_FOLDER}/. "
            "A run that ended before its first one has to be started again."
        )
    return numbered[-1]


def is_checkpoint(path: Path) -> bool:
    """Tell a checkpoint's folder from a run's."""
    return (path / DESCRIPTION_FILE).is_file()


def run_of(path: Path) -> Path:
    """Return the run folder that `path` is, or that a checkpoint `path` belongs to."""
    inside = is_checkpoint(path) and path.absolute().parent.name == CHECKPOINTS_FOLDER
    return path.absolute().parent.parent if inside else path


def prune_checkpoints(run_folder: Path, kept: int, milestone: int = 0, best: Path | None = None) -> None:
    """Delete all but the newest `kept` checkpoints of a run, those at multiples of `milestone` and the `best` one."""
    for folder in checkpoint_folders(run_folder)[:-kept]:
        if folder == best or (milestone and int(folder.name) % milestone == 0):
            continue
        # A checkpoint that cannot be deleted now is deleted with the next ones.
        with contextlib.suppress(OSError):
            remove_folder(folder)


def set_aside(folder: Path) -> Path:
    """Rename a damaged checkpoint so that it is none any more, and return its new name. Raises OSError."""
    aside = folder.with_name(folder.name + DAMAGED_SUFFIX)
    if aside.exists():
        remove_folder(aside)
    return folder.rename(aside)


@contextlib.contextmanager
def claimed(run_folder: Path) -> Iterator[None]:
    """Keep other processes from training in the folder, and delete partial files of killed ones.

    The claim ends with the process, however that ends. Raises TrainingError when another process holds it or the folder
    cannot be written.
    """
    lock = FileLock(run_folder / LOCK_FILE, blocking=False)
    try:
        run_folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
        for folder in (run_folder, run_folder / CHECKPOINTS_FOLDER, run_folder / SAMPLES_FOLDER):
            sweep(folder)
    except Timeout as error:
        raise TrainingError(
            f"{run_folder} is being trained by another process; stop that one first or choose another --run-folder."
        ) from error
    except OSError as error:
        raise TrainingError(f"Cannot write to {run_folder} ({error.strerror}); choose another --run-folder.") from error
    try:
        yield
    finally:
        lock.release()
