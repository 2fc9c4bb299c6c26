"""Robustness to foreign sound: does the picture stay in the clip's world when it hears what it never learned?

Pieces of 1 to 5 s of every file drive the generator from its initial state. Their frames are compared, as a set, with frames
spread over the whole clip; pieces of the clip's own sound, silence and real passages of the same lengths stand beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import TrainingError
from training.core.streaming import StreamingModel
from training.data.video import Clip, read_sound
from training.evaluation.clip_features import ClipFeatures
from training.evaluation.metrics.frechet import frechet_distance
from training.evaluation.metrics.synchrony import motion
from training.evaluation.playing import Drive, play_together
from training.evaluation.results import ForeignRow, Spread
from training.evaluation.traces import Features, Judge

# T frames, S samples of sound, H W rows and columns, C colours

SHORTEST_S, LONGEST_S = 1.0, 5.0
COMPARED_FRAMES = 256
MOTION = "motion (1 = the clip's)"


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of sound from somewhere."""

    source: str
    sound_S: NDArray[np.float32]
    frames: int


def foreign_pieces(folder: Path, clip: Clip, each: int, seed: int) -> tuple[list[Piece], list[str]]:
    """Cut `each` pieces out of every sound or video file; returns them and a sentence for each file that was skipped.

    Raises TrainingError for a folder that is missing or holds nothing that sounds.
    """
    if not folder.is_dir():
        raise TrainingError(f"{folder} is no folder; --foreign takes a folder of sound or video files.")
    random = np.random.default_rng(seed)
    pieces: list[Piece] = []
    skipped: list[str] = []
    for path in sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")):
        try:
            sound_S = read_sound(path, clip.format.sample_rate_hz)
        except TrainingError as error:
            skipped.append(f"skipped: {error}")
            continue
        pieces += [_cut(path.name, sound_S, clip, random) for _ in range(each)]
    if not pieces:
        raise TrainingError(
            f"{folder} holds no file with sound ({len(skipped)} skipped); put sound or video files there."
        )
    return pieces, skipped


def own_pieces(clip: Clip, like: Sequence[Piece], seed: int) -> list[Piece]:
    """Cut pieces of the same lengths out of the clip's own sound."""
    random = np.random.default_rng(seed)
    hop = clip.format.sample_rate_hz // clip.format.fps
    found = []
    for piece in like:
        frames = min(piece.frames, len(clip.frames_NHWC))
        start = int(random.integers(len(clip.frames_NHWC) - frames + 1)) * hop
        found.append(Piece("the clip", np.asarray(clip.sound_S[start : start + frames * hop]), frames))
    return found


class ForeignSound:
    """Measures generators; holds the frames that all are compared with."""

    def __init__(self, clip: Clip, real: ClipFeatures, judge: Judge, seed: int) -> None:
        self.clip, self.real, self.judge, self.seed = clip, real, judge, seed
        count = len(clip.frames_NHWC)
        spread = np.unique(np.linspace(0, count - 1, min(COMPARED_FRAMES, count)).round().astype(int))
        self.world = real.take(spread)
        self.motion = max(float(motion(np.asarray(clip.frames_NHWC[: 4 * COMPARED_FRAMES]))[1:].mean()), 1e-9)

    def rows(self, model: StreamingModel, pieces: Sequence[Piece], mean_HWC: NDArray[np.uint8]) -> list[ForeignRow]:
        """Return real passages, own sound, foreign sound (all, then by file), silence and the mean frame."""
        own = own_pieces(self.clip, pieces, self.seed)
        silent = [Piece("silence", np.zeros_like(piece.sound_S), piece.frames) for piece in pieces[:4]]
        by_file: dict[str, list[dict[str, float]]] = {}
        for piece in pieces:
            by_file.setdefault(piece.source, []).append(self._driven(model, piece))
        every = [figures for some in by_file.values() for figures in some]
        still = [self._judged(self.real.still(mean_HWC, piece.frames)) for piece in pieces]
        return [
            _row("real passages", "ceiling", [self._passage(piece) for piece in own]),
            _row("own sound", "model", [self._driven(model, piece) for piece in own]),
            _row("foreign sound", "foreign", every),
            *(_row(name, "file", some) for name, some in by_file.items()),
            _row("silence", "floor", [self._driven(model, piece) for piece in silent]),
            _row("mean frame", "mean frame", still),
        ]

    def _driven(self, model: StreamingModel, piece: Piece) -> dict[str, float]:
        drive = Drive(piece.sound_S, 0, piece.frames, self.seed)
        return self._judged(self.judge.features(play_together(model, [drive], self.judge.progress)[0]))

    def _passage(self, piece: Piece) -> dict[str, float]:
        room = len(self.clip.frames_NHWC) - piece.frames
        start = int(np.random.default_rng([self.seed, piece.frames]).integers(room + 1))
        return self._judged(self.real.take(np.arange(start, start + piece.frames)))

    def _judged(self, shown: Features) -> dict[str, float]:
        found = {label: frechet_distance(shown.pictures[label], self.world.pictures[label]) for label in shown.pictures}
        return found | {MOTION: float(motion(shown.shown_THWC)[1:].mean()) / self.motion}


def _cut(name: str, sound_S: NDArray[np.float32], clip: Clip, random: np.random.Generator) -> Piece:
    hop = clip.format.sample_rate_hz // clip.format.fps
    # A sound shorter than its piece dies away into silence, as it would when played.
    frames = round(random.uniform(SHORTEST_S, LONGEST_S) * clip.format.fps)
    start = int(random.integers(max(len(sound_S) - frames * hop, 0) + 1))
    return Piece(name, sound_S[start : start + frames * hop], frames)


def _row(name: str, kind: str, figures: Sequence[dict[str, float]]) -> ForeignRow:
    return ForeignRow(name, kind, {label: Spread.of([each[label] for each in figures]) for label in figures[0]})
