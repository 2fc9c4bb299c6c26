"""What a run leaves behind: progress bar, stats.jsonl, TensorBoard and samples."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from training.data.video import Clip
from training.data.windows import Fold
from training.samples import VIDEO_SECONDS, contact_sheet, write_png, write_video
from training.validation import Validation

STATS_FILE, SAMPLES_FOLDER, TENSORBOARD_FOLDER = "stats.jsonl", "samples", "tensorboard"
BAR_INTERVAL_S = 0.5


class Journal:
    """Open while a run trains: `with Journal(...) as journal`."""

    def __init__(self, run_folder: Path, total_iterations: int, iteration: int) -> None:
        self.run_folder = run_folder
        run_folder.mkdir(parents=True, exist_ok=True)
        self.writer = SummaryWriter(str(run_folder / TENSORBOARD_FOLDER), purge_step=iteration)
        self.bar = tqdm(
            total=total_iterations,
            initial=iteration,
            desc="training",
            unit="it",
            mininterval=BAR_INTERVAL_S,
            dynamic_ncols=True,
        )
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}
        self.latest: dict[str, float] = {}
        self.begun: tuple[float, float] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.close()
        self.writer.close()

    def add(self, terms: Mapping[str, Tensor], progress: float, elapsed_s: float) -> None:
        """Take the losses of one iteration; the bar shows the share of the budget and the time left of it."""
        for name, value in terms.items():
            self.sums[name] = self.sums.get(name, torch.zeros((), device=value.device)) + value
            self.counts[name] = self.counts.get(name, 0) + 1
        self.begun = self.begun or (progress, elapsed_s)
        done, spent_s = progress - self.begun[0], elapsed_s - self.begun[1]
        left = tqdm.format_interval(spent_s / done * (1.0 - progress)) if done > 0 else "?"
        shown = {name: f"{value:.4g}" for name, value in self.latest.items()}
        self.bar.set_postfix({"left": left, **shown}, refresh=False)
        self.bar.update()

    def log(self, iteration: int, elapsed_s: float, learning_rate: float) -> None:
        """Record the mean losses since the last call, if there were any."""
        if not self.sums:
            return
        self.latest = {name: float(value) / self.counts[name] for name, value in self.sums.items()}
        self.sums, self.counts = {}, {}
        for name, value in self.latest.items():
            self.writer.add_scalar(f"loss/{name}", value, iteration)
        self.writer.add_scalar("learning_rate", learning_rate, iteration)
        self._append(
            {"iteration": iteration, "elapsed_s": round(elapsed_s, 2), "learning_rate": learning_rate, **self.latest}
        )

    def sample(self, iteration: int, elapsed_s: float, found: Validation, clip: Clip, fold: Fold) -> None:
        """Record a validation and write its contact sheet and video."""
        self._append({"iteration": iteration, "elapsed_s": round(elapsed_s, 2), "validation": found.numbers()})
        for name, value in found.numbers().items():
            self.writer.add_scalar(f"validation/{name}", value, iteration)
        real_NHWC = clip.frames_NHWC[fold.first : fold.end]
        sheet = contact_sheet(real_NHWC, found.generated_NHWC)
        self.writer.add_image("real_above_generated", sheet, iteration, dataformats="HWC")
        self.writer.flush()
        folder = self.run_folder / SAMPLES_FOLDER
        write_png(folder / f"{iteration:07d}.png", sheet)
        count = min(fold.count, round(VIDEO_SECONDS * clip.format.fps))
        hop = clip.format.sample_rate_hz // clip.format.fps
        side_by_side = torch.cat(
            [torch.from_numpy(real_NHWC[:count].copy()), torch.from_numpy(found.generated_NHWC[:count])], dim=2
        )
        sound_S = clip.sound_S[fold.first * hop : (fold.first + count) * hop]
        write_video(
            folder / f"{iteration:07d}.mp4", side_by_side.numpy(), sound_S, clip.format.fps, clip.format.sample_rate_hz
        )
        self.bar.write(
            f"{iteration}: held-out L1 {found.l1:.4f} (mean frame {found.mean_frame_l1:.4f}), motion {found.motion_share:.2f} of the clip's"
        )

    def _append(self, record: Mapping[str, object]) -> None:
        with (self.run_folder / STATS_FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
