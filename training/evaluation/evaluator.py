"""The whole evaluation: real video, every generator with the right and with shuffled sound, and the mean frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from training.core.streaming import StreamingModel
from training.data.footage import mean_frame
from training.data.video import Clip
from training.data.windows import Segment, split, split_off_tuning
from training.evaluation.clip_features import ClipFeatures, Indices, half_a_clip_away, half_clip_frames, one_frame_late
from training.evaluation.frame_metrics import Features, FrameMetrics, FrameScores, costly_positions
from training.evaluation.held_out_synchrony import HeldOutSynchrony
from training.evaluation.metrics.synchrony import loudness, motion
from training.evaluation.positions import Series
from training.evaluation.results import Measured, MeasuredRow, RowKind
from training.evaluation.rollouts import Frames, generate_all, rollout_inputs
from training.evaluation.sequences import Part, Rollout, SequencePlan, clip_parts, plan_sequences, with_shuffled_sound

# T frames, H W rows and columns, C colours

FLOOR_LONGEST_LOOPED = 128
SHEET_COLUMNS = 8


@dataclass(frozen=True, slots=True)
class EvaluatedGenerator:
    """A generator under its name in the tables."""

    name: str
    model: StreamingModel
    iterations: int
    path: str
    sequence_frames: int
    tuning_share: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationOptions:
    """Number and length of the sequences."""

    lengths: tuple[int, ...] = (16, 32, 64, 128, 256, 512, 1024)
    sequences: int = 4
    shifts: int = 4
    seed: int = 20


@dataclass(slots=True)
class Sheet:
    """A contact sheet: rows of frames at the same moments."""

    title: str
    times_s: list[float]
    rows: list[tuple[str, Frames]] = field(default_factory=list)


class Evaluator:
    """Measures all rows on one clip; holds its parts, plans and the features of its frames."""

    def __init__(
        self, clip: Clip, generators: Sequence[EvaluatedGenerator], metrics: FrameMetrics, options: EvaluationOptions
    ) -> None:
        """The clip's held-out part holds a sequence of the shortest length (see `choose_clips`)."""
        self.clip, self.generators, self.metrics, self.options = clip, generators, metrics, options
        longest = max(generator.sequence_frames for generator in generators)
        trained, self.held_out = split(clip, longest)
        # Where one of them was tuned, no generator is measured.
        cut = (
            split_off_tuning(trained, len(clip.frames_NHWC), each.tuning_share, each.sequence_frames)[0]
            for each in generators
        )
        self.trained = min(cut, key=lambda part: part.end)
        hop = clip.format.sample_rate_hz // clip.format.fps
        found = clip_parts(clip, self.trained, self.held_out, hop, options.lengths)
        self.plans = [plan_sequences(part, options.lengths, options.sequences) for part in found]
        self.floors = [self._floor(original) for original in self.plans]
        self.real = ClipFeatures(clip, metrics)
        self.loudness_N = loudness(np.asarray(clip.sound_S), len(clip.frames_NHWC), hop)
        self.synchrony = HeldOutSynchrony(clip)
        self.sheets: list[Sheet] = [self._sheet(each) for each in self.plans]

    def frames(self) -> int:
        """Return how often a generated frame is made or measured, for the progress bar."""
        each = sum(sum(plan.longest().values()) for plan in (*self.plans, *self.floors))
        return 2 * each * len(self.generators)

    def real_frames(self) -> int:
        """Return about how many frames of the clip are measured: those of the sequences and half a clip away from them."""
        places = ((plan.part, rollout, frames) for plan in self.plans for rollout, frames in plan.longest().items())
        shown = {frame for part, rollout, frames in places for frame in part.indices(rollout.start, frames).tolist()}
        return 2 * len(shown)

    def rows(self) -> list[MeasuredRow]:
        """Return all rows, real video first."""
        mean_HWC = self.mean_frame()
        found = [
            self._reference("real, one frame late", "ceiling", lambda part, i: self.real.at(one_frame_late(i))),
            self._reference(
                "real, half a clip away", "other moment", lambda part, i: self.real.at(half_a_clip_away(part, i))
            ),
        ]
        for generator in self.generators:
            measured = self._generated(generator, self.plans, generator.name)
            found.append(MeasuredRow(generator.name, "model", measured))
            floor = f"{generator.name}, shuffled sound"
            found.append(MeasuredRow(floor, "floor", self._generated(generator, self.floors, floor)))
        found.append(self._reference("mean frame", "mean frame", lambda part, i: self.real.still(mean_HWC, len(i))))
        return found

    def _floor(self, original: SequencePlan) -> SequencePlan:
        part = original.part
        shifts = part.shifts(self.options.shifts, self.clip.format.sample_rate_hz)
        return with_shuffled_sound(original.up_to(FLOOR_LONGEST_LOOPED) if part.looped else original, shifts)

    def mean_frame(self) -> NDArray[np.uint8]:
        """Return the mean frame [H, W, 3] of the trained part."""
        return mean_bytes([Segment(self.clip, self.trained)])

    def _generated(
        self, generator: EvaluatedGenerator, plans: Sequence[SequencePlan], name: str
    ) -> dict[str, Measured]:
        found: dict[str, Measured] = {}
        for each in plans:
            inputs = rollout_inputs(each, self.options.seed, generator.model.context_frames)
            frames_of = generate_all(generator.model, inputs, self.metrics.progress)
            if name == generator.name and not each.part.looped:
                self.synchrony.add(name, each, frames_of)
            scores = {rollout: self._scores(each.part, rollout, frames) for rollout, frames in frames_of.items()}
            found[each.part.name] = self._measured(each, scores)
            self._add_to_sheet(each, frames_of, name)
        return found

    def _scores(self, part: Part, rollout: Rollout, frames: Frames) -> FrameScores:
        indices = part.indices(rollout.start, len(frames))
        costly_T = costly_positions(len(frames))
        fake, real = self.metrics.extract(frames), self.real.at(indices)
        return self.metrics.compare(fake, real, self.loudness_N[indices], costly_T)

    def _measured(self, each: SequencePlan, scores: dict[Rollout, FrameScores]) -> Measured:
        return Measured(
            {n: [self.metrics.over_sequence(scores[r], n) for r in rollouts] for n, rollouts in each.rollouts.items()},
            [found.figures for found in scores.values()],
        )

    def _reference(self, name: str, kind: RowKind, features_of: Callable[[Part, Indices], Features]) -> MeasuredRow:
        """Measure a row without a model; each frame of the clip is compared once, however often it is looped."""
        found: dict[str, Measured] = {}
        for original in self.plans:
            each = original if kind != "other moment" else original.up_to(half_clip_frames(original.part))
            if not each.rollouts:
                continue
            wanted = {rollout: each.part.indices(rollout.start, n) for rollout, n in each.longest().items()}
            once = np.unique(np.concatenate(list(wanted.values())))
            costly = np.unique(np.concatenate([indices[costly_positions(len(indices))] for indices in wanted.values()]))
            fake, real = features_of(each.part, once), self.real.at(once)
            compared = self.metrics.compare(fake, real, self.loudness_N[once], np.isin(once, costly))
            scores: dict[Rollout, FrameScores] = {}
            for rollout, indices in wanted.items():
                places = np.searchsorted(once, indices)
                figures = {label: values[places] for label, values in compared.figures.items()}
                # The same positions as a generator's: figures and curves of all rows then compare.
                figures = self.metrics.without_costly(figures, costly_positions(len(indices)))
                scores[rollout] = self._selected(figures, features_of(each.part, indices), indices)
            found[each.part.name] = self._measured(each, scores)
        return MeasuredRow(name, kind, found)

    def _selected(self, figures: dict[str, Series], fake: Features, indices: Indices) -> FrameScores:
        return FrameScores(figures, fake, self.real.at(indices), self.loudness_N[indices], motion(fake.frames_THWC))

    def _sheet(self, each: SequencePlan) -> Sheet:
        frames = max(each.rollouts)
        chosen = np.linspace(0, frames - 1, min(SHEET_COLUMNS, frames)).round().astype(int)
        title = f"{each.part.name}, {frames} frames from the initial state"
        real = each.part.frames(0, frames)[chosen]
        return Sheet(title, [float(t) / self.clip.format.fps for t in chosen], [("the clip", real)])

    def _add_to_sheet(self, each: SequencePlan, frames_of: dict[Rollout, Frames], name: str) -> None:
        """Add frames of the longest rollout from position 0, if it is long enough for the sheet."""
        sheet = self.sheets[[plan.part.name for plan in self.plans].index(each.part.name)]
        frames = max(frames_of.items(), key=lambda item: (len(item[1]), -item[0].start))[1]
        wanted = np.array(sheet.times_s) * self.clip.format.fps
        if len(frames) > wanted[-1]:
            sheet.rows.append((name, frames[wanted.round().astype(int)]))


def mean_bytes(segments: Sequence[Segment]) -> NDArray[np.uint8]:
    """Return the mean frame [H, W, 3] of segments."""
    mean_CHW = (mean_frame(segments) + 1.0) * 127.5
    return mean_CHW.round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()
