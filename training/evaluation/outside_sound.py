"""Robustness to sound from outside the clip: do the frames still look like the clip when the sound is new to the model?

Each piece of sound drives the generator from its initial state. Its frames are compared with frames spread over all clips.
Pieces of the clips' own sound, silence and real video of the same lengths serve as references. One piece is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.core.errors import MediaError, TrainingError
from engine.core.printable import printable
from training.core.streaming import StreamingModel
from training.evaluation.clip_features import ClipFeatures
from training.evaluation.frame_metrics import Features, FrameMetrics
from training.evaluation.metrics.frechet import LEAST, frechet_distance
from training.evaluation.metrics.synchrony import motion
from training.evaluation.pieces import Piece
from training.evaluation.results import OutsideRow, PieceFigures, Spread
from training.evaluation.rollouts import RolloutInput, generate_together

# T frames, S samples of sound, H W rows and columns, D features

REFERENCE_PIECES, SILENT_PIECES = 32, 4
"""The references need fewer pieces than the sound from outside."""
COMPARED_FRAMES = 256
MOTION = "motion (1 = the clip's)"


@dataclass(frozen=True, slots=True)
class OutsideFigures:
    """Rows of one generator, the figures of each piece, and one sentence for each piece that could not be measured."""

    rows: list[OutsideRow]
    pieces: list[PieceFigures] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


class OutsideSound:
    """Measures generators with sound from outside the clips, against frames spread over the clips."""

    def __init__(self, real: Sequence[ClipFeatures], metrics: FrameMetrics, seed: int) -> None:
        self.real, self.metrics, self.seed = tuple(real), metrics, seed
        self.frames = [len(each.clip.frames_NHWC) for each in real]
        self.format = real[0].clip.format
        self.spread = self._spread()
        measured = [motion(np.asarray(each.clip.frames_NHWC[: 4 * COMPARED_FRAMES]))[1:] for each in real]
        self.motion = max(float(np.concatenate(measured).mean()), 1e-9)

    def figures(self, model: StreamingModel, pieces: Sequence[Piece], mean_HWC: NDArray[np.uint8]) -> OutsideFigures:
        """Measure real video, the clips' own sound, every piece from outside, silence and the mean frame.

        Raises TrainingError when no piece can be read any more.
        """
        measured, skipped = [], []
        for piece in pieces:
            try:
                sound_S = piece.sound(self.format.sample_rate_hz)
            except (MediaError, TrainingError) as error:
                skipped.append(str(error))
                continue
            figures = self._generated(model, sound_S, piece.frames)
            measured.append(PieceFigures(printable(piece.file), piece.start_s, piece.frames / self.format.fps, figures))
        if not measured:
            raise TrainingError(skipped[0])
        rows = self._references(model, [piece.frames for piece in pieces[:REFERENCE_PIECES]], mean_HWC)
        rows.insert(2, _row("outside sound", "outside", [each.figures for each in measured]))
        return OutsideFigures(rows, measured, skipped)

    def _references(
        self, model: StreamingModel, lengths: Sequence[int], mean_HWC: NDArray[np.uint8]
    ) -> list[OutsideRow]:
        random = np.random.default_rng(self.seed)
        hop = self.format.sample_rate_hz // self.format.fps
        own, real = [], []
        for length in lengths:
            each, start, frames = self._place(length, random)
            sound_S = np.asarray(each.clip.sound_S[start * hop : (start + frames) * hop])
            own.append(self._generated(model, sound_S, frames))
            each, start, frames = self._place(length, random)
            real.append(self._figures(each.at(np.arange(start, start + frames))))
        silent = [self._generated(model, np.zeros(n * hop, np.float32), n) for n in lengths[:SILENT_PIECES]]
        still = self._figures(self.real[0].still(mean_HWC, max(lengths)))
        return [
            _row("real video", "ceiling", real),
            _row("own sound", "model", own),
            _row("silence", "floor", silent),
            _row("mean frame", "mean frame", [still]),
        ]

    def _place(self, length: int, random: np.random.Generator) -> tuple[ClipFeatures, int, int]:
        """Draw a clip, a first frame and a number of frames, at most `length`."""
        index = int(random.choice(len(self.frames), p=np.array(self.frames) / sum(self.frames)))
        frames = min(length, self.frames[index])
        return self.real[index], int(random.integers(self.frames[index] - frames + 1)), frames

    def _spread(self) -> dict[str, Tensor]:
        """Return the features [T, D] of frames spread evenly over all clips, by network."""
        found: dict[str, list[Tensor]] = {}
        for each, count in zip(self.real, self.frames, strict=True):
            share = max(LEAST, round(COMPARED_FRAMES * count / sum(self.frames)))
            indices = np.unique(np.linspace(0, count - 1, min(share, count)).round().astype(int))
            for label, values in each.at(indices).by_network.items():
                found.setdefault(label, []).append(values)
        return {label: torch.cat(parts) for label, parts in found.items()}

    def _generated(self, model: StreamingModel, sound_S: NDArray[np.float32], frames: int) -> dict[str, float]:
        rollout = RolloutInput(sound_S, 0, frames, self.seed)
        return self._figures(self.metrics.extract(generate_together(model, [rollout], self.metrics.progress)[0]))

    def _figures(self, shown: Features) -> dict[str, float]:
        distances = {label: frechet_distance(ours, self.spread[label]) for label, ours in shown.by_network.items()}
        return distances | {MOTION: float(motion(shown.frames_THWC)[1:].mean()) / self.motion}


def outside_frames(pieces: Sequence[Piece]) -> tuple[int, int]:
    """Return about how many frames one generator makes and how many real ones are measured, for the progress bar."""
    if not pieces:
        return 0, 0
    references = [piece.frames for piece in pieces[:REFERENCE_PIECES]]
    generated = sum(piece.frames for piece in pieces) + sum(references) + sum(references[:SILENT_PIECES])
    return generated, COMPARED_FRAMES + sum(references)


def _row(name: str, kind: str, figures: Sequence[dict[str, float]]) -> OutsideRow:
    return OutsideRow(name, kind, {label: Spread.of([each[label] for each in figures]) for label in figures[0]})
