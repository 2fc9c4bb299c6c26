"""Robustness to sound from outside the clip: do the frames still look like the clip when the sound is new to the model?

Excerpts of 1 to 5 s of every file drive the generator from its initial state. The set of frames is compared with frames spread
over the whole clip. Excerpts of the clip's own sound, silence and real video of the same lengths serve as references.
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
from training.evaluation.frame_metrics import Features, FrameMetrics
from training.evaluation.metrics.frechet import frechet_distance
from training.evaluation.metrics.synchrony import motion
from training.evaluation.results import OutsideRow, Spread
from training.evaluation.rollouts import RolloutInput, generate_together

# T frames, S samples of sound, H W rows and columns, C colours

SHORTEST_S, LONGEST_S = 1.0, 5.0
COMPARED_FRAMES = 256
MOTION = "motion (1 = the clip's)"


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A short piece of sound and the file or kind it comes from."""

    source: str
    sound_S: NDArray[np.float32]
    frames: int


def outside_excerpts(folder: Path, clip: Clip, each: int, seed: int) -> tuple[list[Excerpt], list[str]]:
    """Cut `each` excerpts out of every sound or video file; return them and one sentence for each skipped file.

    Raises TrainingError for a missing folder and for a folder without sound.
    """
    if not folder.is_dir():
        raise TrainingError(f"{folder} is not a folder; --foreign expects a folder with sound or video files.")
    random = np.random.default_rng(seed)
    excerpts: list[Excerpt] = []
    skipped: list[str] = []
    for path in sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")):
        try:
            sound_S = read_sound(path, clip.format.sample_rate_hz)
        except TrainingError as error:
            skipped.append(f"skipped: {error}")
            continue
        excerpts += [_cut(path.name, sound_S, clip, random) for _ in range(each)]
    if not excerpts:
        raise TrainingError(
            f"{folder} holds no file with sound ({len(skipped)} skipped); put sound or video files there."
        )
    return excerpts, skipped


def own_excerpts(clip: Clip, like: Sequence[Excerpt], seed: int) -> list[Excerpt]:
    """Cut excerpts of the same lengths out of the clip's own sound."""
    random = np.random.default_rng(seed)
    hop = clip.format.sample_rate_hz // clip.format.fps
    found = []
    for excerpt in like:
        frames = min(excerpt.frames, len(clip.frames_NHWC))
        start = int(random.integers(len(clip.frames_NHWC) - frames + 1)) * hop
        found.append(Excerpt("the clip", np.asarray(clip.sound_S[start : start + frames * hop]), frames))
    return found


class OutsideSound:
    """Measures generators with sound from outside the clip, against frames spread over the clip."""

    def __init__(self, clip: Clip, real: ClipFeatures, metrics: FrameMetrics, seed: int) -> None:
        self.clip, self.real, self.metrics, self.seed = clip, real, metrics, seed
        count = len(clip.frames_NHWC)
        indices = np.unique(np.linspace(0, count - 1, min(COMPARED_FRAMES, count)).round().astype(int))
        self.spread = real.at(indices)
        self.motion = max(float(motion(np.asarray(clip.frames_NHWC[: 4 * COMPARED_FRAMES]))[1:].mean()), 1e-9)

    def rows(self, model: StreamingModel, excerpts: Sequence[Excerpt], mean_HWC: NDArray[np.uint8]) -> list[OutsideRow]:
        """Return rows for real video, the clip's own sound, outside sound (all, then by file), silence and the mean frame."""
        own = own_excerpts(self.clip, excerpts, self.seed)
        silent = [Excerpt("silence", np.zeros_like(excerpt.sound_S), excerpt.frames) for excerpt in excerpts[:4]]
        by_file: dict[str, list[dict[str, float]]] = {}
        for excerpt in excerpts:
            by_file.setdefault(excerpt.source, []).append(self._generated(model, excerpt))
        every = [figures for some in by_file.values() for figures in some]
        still = [self._figures(self.real.still(mean_HWC, excerpt.frames)) for excerpt in excerpts]
        return [
            _row("real video", "ceiling", [self._real(excerpt) for excerpt in own]),
            _row("own sound", "model", [self._generated(model, excerpt) for excerpt in own]),
            _row("outside sound", "outside", every),
            *(_row(name, "file", some) for name, some in by_file.items()),
            _row("silence", "floor", [self._generated(model, excerpt) for excerpt in silent]),
            _row("mean frame", "mean frame", still),
        ]

    def _generated(self, model: StreamingModel, excerpt: Excerpt) -> dict[str, float]:
        rollout = RolloutInput(excerpt.sound_S, 0, excerpt.frames, self.seed)
        return self._figures(self.metrics.extract(generate_together(model, [rollout], self.metrics.progress)[0]))

    def _real(self, excerpt: Excerpt) -> dict[str, float]:
        latest = len(self.clip.frames_NHWC) - excerpt.frames
        start = int(np.random.default_rng([self.seed, excerpt.frames]).integers(latest + 1))
        return self._figures(self.real.at(np.arange(start, start + excerpt.frames)))

    def _figures(self, shown: Features) -> dict[str, float]:
        pairs = ((label, values, self.spread.by_network[label]) for label, values in shown.by_network.items())
        distances = {label: frechet_distance(ours, clip) for label, ours, clip in pairs}
        return distances | {MOTION: float(motion(shown.frames_THWC)[1:].mean()) / self.motion}


def _cut(name: str, sound_S: NDArray[np.float32], clip: Clip, random: np.random.Generator) -> Excerpt:
    hop = clip.format.sample_rate_hz // clip.format.fps
    # A sound shorter than its excerpt ends in silence, as in a show.
    frames = round(random.uniform(SHORTEST_S, LONGEST_S) * clip.format.fps)
    start = int(random.integers(max(len(sound_S) - frames * hop, 0) + 1))
    return Excerpt(name, sound_S[start : start + frames * hop], frames)


def _row(name: str, kind: str, figures: Sequence[dict[str, float]]) -> OutsideRow:
    return OutsideRow(name, kind, {label: Spread.of([each[label] for each in figures]) for label in figures[0]})
