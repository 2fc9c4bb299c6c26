"""The whole measurement: real video, every generator, the same without listening, and the mean frame, over the same passages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from training.core.streaming import StreamingModel
from training.core.validation import mean_frame
from training.data.video import Clip
from training.data.windows import split
from training.evaluation.clip_features import ClipFeatures, Indices, farthest, half_a_clip_away, one_frame_late
from training.evaluation.metrics.synchrony import loudness, motion
from training.evaluation.passages import Part, Plan, Play, parts, plan, shuffled
from training.evaluation.playing import Frames, drives, play_all
from training.evaluation.results import Row, RowKind, Spread, summarise
from training.evaluation.traces import Features, Judge, Series, Trace

# T frames, H W rows and columns, C colours

FLOOR_LONGEST_LOOPED = 128
SHEET_COLUMNS = 8

Figures = dict[int, dict[str, Spread]]


@dataclass(frozen=True, slots=True)
class Subject:
    """A generator under its name in the tables."""

    name: str
    model: StreamingModel
    iterations: int
    path: str
    sequence_frames: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SuiteOptions:
    """How much is played."""

    lengths: tuple[int, ...] = (16, 32, 64, 128, 256, 512, 1024)
    sequences: int = 4
    shifts: int = 4
    seed: int = 20


@dataclass(slots=True)
class Sheet:
    """Rows of pictures at the same moments."""

    title: str
    times_s: list[float]
    rows: list[tuple[str, Frames]] = field(default_factory=list)


class Suite:
    """Holds what all rows share: clip, frame_ranges, plans and features of the real frames."""

    def __init__(self, clip: Clip, subjects: Sequence[Subject], judge: Judge, options: SuiteOptions) -> None:
        """Raises TrainingError for a clip whose held-out part is shorter than the shortest sequence."""
        self.clip, self.subjects, self.judge, self.options = clip, subjects, judge, options
        self.taught, self.held_out = split(clip, max(subject.sequence_frames for subject in subjects))
        hop = clip.format.sample_rate_hz // clip.format.fps
        found = parts(clip, self.taught, self.held_out, hop, options.lengths)
        self.plans = [plan(part, options.lengths, options.sequences) for part in found]
        self.floors = [self._floor(original) for original in self.plans]
        self.real = ClipFeatures(clip, judge)
        self.loudness_N = loudness(np.asarray(clip.sound_S), len(clip.frames_NHWC), hop)
        self.sheets: list[Sheet] = [self._sheet(each) for each in self.plans]

    def frames(self) -> int:
        """Count the frames that will be played and judged, for the progress bar."""
        each = sum(sum(plan.longest().values()) for plan in (*self.plans, *self.floors))
        return 2 * each * len(self.subjects)

    def rows(self) -> list[Row]:
        """Measure everything, real video first."""
        mean_HWC = self.mean_picture()
        found = [
            self._reference("real, one frame late", "ceiling", lambda part, i: self.real.take(one_frame_late(i))),
            self._reference(
                "real, half a clip away", "passage", lambda part, i: self.real.take(half_a_clip_away(part, i))
            ),
        ]
        for subject in self.subjects:
            found.append(Row(subject.name, "model", self._played(subject, self.plans, subject.name)))
            floor = f"{subject.name}, shuffled sound"
            found.append(Row(floor, "floor", self._played(subject, self.floors, floor)))
        found.append(self._reference("mean frame", "mean frame", lambda part, i: self.real.still(mean_HWC, len(i))))
        return found

    def _floor(self, original: Plan) -> Plan:
        part = original.part
        shifts = part.shifts(self.options.shifts, self.clip.format.sample_rate_hz)
        return shuffled(original.up_to(FLOOR_LONGEST_LOOPED) if part.looped else original, shifts)

    def mean_picture(self) -> NDArray[np.uint8]:
        """Return the mean picture [H, W, 3] of the part that taught."""
        mean_CHW = (mean_frame(self.clip, self.taught) + 1.0) * 127.5
        return mean_CHW.round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()

    def _played(self, subject: Subject, plans: Sequence[Plan], name: str) -> dict[str, Figures]:
        found: dict[str, Figures] = {}
        for each in plans:
            played = play_all(subject.model, drives(each, self.options.seed), self.judge.progress)
            traces = {play: self._trace(each.part, play, frames) for play, frames in played.items()}
            found[each.part.name] = self._by_length(each, traces)
            self._show(each, played, name)
        return found

    def _trace(self, part: Part, play: Play, frames: Frames) -> Trace:
        indices = part.indices(play.start, len(frames))
        return self.judge.trace(self.judge.features(frames), self.real.take(indices), self.loudness_N[indices])

    def _by_length(self, each: Plan, traces: dict[Play, Trace]) -> Figures:
        return summarise(
            {n: [self.judge.sequence(traces[play], n) for play in plays] for n, plays in each.plays.items() if plays}
        )

    def _reference(self, name: str, kind: RowKind, take: Callable[[Part, Indices], Features]) -> Row:
        """Measure frames that no model makes; each frame of the clip is judged once however often it is looped."""
        found: dict[str, Figures] = {}
        for original in self.plans:
            each = original if kind != "passage" else original.up_to(farthest(original.part))
            if not each.plays:
                continue
            shown = {play: each.part.indices(play.start, n) for play, n in each.longest().items()}
            once = np.unique(np.concatenate(list(shown.values())))
            judged = self.judge.trace(take(each.part, once), self.real.take(once), self.loudness_N[once])
            traces: dict[Play, Trace] = {}
            for play, indices in shown.items():
                places = np.searchsorted(once, indices)
                figures = {label: values[places] for label, values in judged.figures.items()}
                traces[play] = self._looked_up(figures, take(each.part, indices), indices)
            found[each.part.name] = self._by_length(each, traces)
        return Row(name, kind, found)

    def _looked_up(self, figures: dict[str, Series], fake: Features, indices: Indices) -> Trace:
        return Trace(figures, fake, self.real.take(indices), self.loudness_N[indices], motion(fake.shown_THWC))

    def _sheet(self, each: Plan) -> Sheet:
        frames = max(each.plays)
        chosen = np.linspace(0, frames - 1, min(SHEET_COLUMNS, frames)).round().astype(int)
        title = f"{each.part.name}, {frames} frames from the initial state"
        real = each.part.frames(0, frames)[chosen]
        return Sheet(title, [float(t) / self.clip.format.fps for t in chosen], [("the clip", real)])

    def _show(self, each: Plan, played: dict[Play, Frames], name: str) -> None:
        """Keep pictures of the longest play from position 0 (of the floor only in the held-out part)."""
        sheet = self.sheets[[plan.part.name for plan in self.plans].index(each.part.name)]
        frames = max(played.items(), key=lambda item: (len(item[1]), -item[0].start))[1]
        wanted = np.array(sheet.times_s) * self.clip.format.fps
        if len(frames) > wanted[-1]:
            sheet.rows.append((name, frames[wanted.round().astype(int)]))
