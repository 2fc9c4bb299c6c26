"""Run log: progress bar, stats.jsonl, TensorBoard and samples of a run.

A write error does not end the run: it is reported once, and the next write tries again.
"""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from engine.core.errors import TrainingError
from engine.core.printable import printable
from training.data.video import ClipFormat
from training.logging.event_log import EventLog
from training.logging.records import append_record, drop_after
from training.logging.samples import VIDEO_SECONDS, animation, contact_sheet, side_by_side, write_png, write_video
from training.loop.checkpoint import CheckpointNotWritten
from training.loop.run_folder import SAMPLES_FOLDER, STATS_FILE, TENSORBOARD_FOLDER, sound_sample_name
from training.loop.sound_samples import SampleSound
from training.loop.validation import Validation
from training.losses.quality import QUALITY

BAR_INTERVAL_S, RECENT_ITERATIONS = 0.5, 50
BAR_FORMAT = "{desc}: {n_fmt}/{total_fmt} |{bar:20}| [{elapsed}, {rate_fmt}{postfix}]"
TRIED_AGAIN = "training continues and tries again"


class RunLog:
    """The log of a run; a context manager that is open while the run trains."""

    def __init__(self, run_folder: Path, total_iterations: int, iteration: int, validated: int | None = None) -> None:
        """Remove the records after `iteration` and the validations after `validated`.

        Raises TrainingError when the folder cannot be written.
        """
        self.run_folder, self.samples = run_folder, run_folder / SAMPLES_FOLDER
        try:
            drop_after(run_folder / STATS_FILE, iteration, validated)
        except OSError as error:
            raise TrainingError(
                f"Cannot write {run_folder / STATS_FILE} ({error.strerror}); free some space or choose another --run-folder."
            ) from error
        self.event_log = EventLog(run_folder / TENSORBOARD_FOLDER, iteration + 1)
        self.bar = tqdm(
            total=total_iterations,
            initial=iteration,
            desc="training",
            unit="it",
            file=_TolerantStream(sys.stderr),
            mininterval=BAR_INTERVAL_S,
            bar_format=BAR_FORMAT,
            dynamic_ncols=True,
        )
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}
        self.latest: dict[str, float] = {}
        # Only the last iterations: adversarial losses that start late make later iterations slower.
        self.recent: deque[tuple[float, float]] = deque(maxlen=RECENT_ITERATIONS)
        self.failing: set[str] = set()
        self.sound_logged = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.close()

    def add(self, terms: Mapping[str, Tensor], progress: float, elapsed_s: float) -> None:
        """Take the losses of one iteration. `progress` is the used share of the budget; the bar shows the time left."""
        for name, value in terms.items():
            self.sums[name] = self.sums.get(name, torch.zeros((), device=value.device)) + value
            self.counts[name] = self.counts.get(name, 0) + 1
        self.recent.append((progress, elapsed_s))
        done, spent_s = progress - self.recent[0][0], elapsed_s - self.recent[0][1]
        left = tqdm.format_interval(spent_s / done * (1.0 - progress)) if done > 0 else "?"
        shown = {name: f"{value:.4g}" for name, value in self.latest.items()}
        if progress > 0.0:
            # If a time limit ends the run, the number of iterations is only an estimate.
            self.bar.total = max(self.bar.n + 1, round((self.bar.n + 1) / progress))
        self.bar.set_postfix({"left": left, **shown}, refresh=False)
        self.bar.update()

    def log(self, iteration: int, elapsed_s: float, learning_rate: float) -> None:
        """Record the mean losses since the last call, if there are any."""
        if not self.sums:
            return
        self.latest = {name: float(value) / self.counts[name] for name, value in self.sums.items()}
        self.sums, self.counts = {}, {}
        points = {f"{'quality' if name in QUALITY else 'loss'}/{name}": value for name, value in self.latest.items()}
        self._scalars(points | {"learning_rate": learning_rate}, iteration)
        self._record(iteration, elapsed_s, {"learning_rate": learning_rate, **self.latest})

    def event(self, iteration: int, elapsed_s: float, name: str, **details: Any) -> None:
        """Record an event with the date."""
        self._record(iteration, elapsed_s, {"at": time.strftime("%Y-%m-%d %H:%M:%S"), "event": name, **details})

    def sample(self, iteration: int, elapsed_s: float, found: Validation, clip_format: ClipFormat) -> None:
        """Record a validation and write its contact sheet and sample video."""
        numbers = found.numbers()
        self._record(iteration, elapsed_s, {"validation": numbers})
        self._scalars({f"validation/{name}": value for name, value in numbers.items()}, iteration)
        fps, rate_hz = clip_format.fps, clip_format.sample_rate_hz
        real_NHWC = found.real_NHWC()
        sheet = contact_sheet(real_NHWC, found.generated_NHWC)
        frames = side_by_side(real_NHWC, found.generated_NHWC, VIDEO_SECONDS, fps)
        hop = rate_hz // fps
        sound_S = found.sound_S()[: len(frames) * hop]
        name = f"{iteration:07d}"
        self.try_write("a contact sheet", lambda: write_png(self.samples / f"{name}.png", sheet))
        self.try_write(
            "a sample video", lambda: write_video(self.samples / f"{name}.mp4", frames, sound_S, fps, rate_hz)
        )

        def images_and_sound() -> None:
            self.event_log.image("real_above_generated", sheet, iteration)
            self.event_log.video("real_left_generated_right", *animation(frames, fps), iteration)
            if not self.sound_logged:  # The sound is the same each time.
                self.event_log.sound("held_out_sound", sound_S, rate_hz, iteration)
                self.sound_logged = True

        self.try_write("the TensorBoard log", images_and_sound)
        moved = (
            f"motion {found.motion_share:.2f} of the clip's"
            if math.isfinite(found.motion_share)
            else "the clip stands still there"
        )
        self.print_line(f"{iteration}: held-out L1 {found.l1:.4f} (mean frame {found.mean_frame_l1:.4f}), {moved}")

    def sound_sample(
        self, iteration: int, sound: SampleSound, frames_NHWC: NDArray[np.uint8], clip_format: ClipFormat
    ) -> None:
        """Write the video of a sound from outside the clip."""
        fps, rate_hz = clip_format.fps, clip_format.sample_rate_hz
        path = self.samples / sound_sample_name(iteration, sound.name)
        sound_S = sound.sound_S[: len(frames_NHWC) * (rate_hz // fps)]
        self.try_write("a sample of a sound", lambda: write_video(path, frames_NHWC, sound_S, fps, rate_hz))

    def try_write(self, what: str, write: Callable[[], object], otherwise: str = TRIED_AGAIN) -> str:
        """Write something that the run can do without for now; return the reason of a failure, or an empty string.

        The first failure and the first success after it each print one line.
        """
        try:
            write()
        except (OSError, CheckpointNotWritten) as error:
            reason = error.reason if isinstance(error, CheckpointNotWritten) else error.strerror or str(error)
            if what not in self.failing:
                self.print_line(f"notice: {what} could not be written ({reason}); {otherwise}")
            self.failing.add(what)
            return reason
        if what in self.failing:
            self.failing.discard(what)
            self.print_line(f"notice: {what} can be written again")
        return ""

    def print_line(self, line: str) -> None:
        """Print a line above the bar, on stderr."""
        self.bar.write(printable(line), file=self.bar.fp)

    def _scalars(self, points: Mapping[str, float], iteration: int) -> None:
        def write() -> None:
            for tag, value in points.items():
                self.event_log.scalar(tag, value, iteration)

        self.try_write("the TensorBoard log", write)

    def _record(self, iteration: int, elapsed_s: float, values: Mapping[str, Any]) -> None:
        record = {"iteration": iteration, "elapsed_s": round(elapsed_s, 2), **values}
        self.try_write(STATS_FILE, lambda: append_record(self.run_folder / STATS_FILE, record))


class _TolerantStream:
    """A stream that ignores write errors: the progress bar must not end a run when the disk is full or the pipe closed."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self.stream.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self.stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)
