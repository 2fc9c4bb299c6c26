"""CLIPSIM, IT and IA: how alike the frames of rendered clips are to a text or to a sound, by a function that the user names.

IA and IT (Zhang et al., AVSyncD, ECCV 2024) are means over the frames 2 … n of cosines times 100, the authors' with ImageBind. CLIPSIM
(Wu et al., arXiv 2104.14806) is the mean over all frames of the cosine of a frame and a text, with CLIP.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from training.core.named_functions import number_a_frame
from training.evaluation.renders.clip_pairs import ClipPair, Frames, squeezed
from training.evaluation.renders.measures import Measure
from training.evaluation.synchrony.film import SOUND_RATE_HZ

CLIPSIM, IT, IA = "CLIPSIM", "IT", "IA"
PER_CENT = 100.0

FrameFunction = Callable[..., object]


@dataclass(frozen=True, slots=True)
class Likeness:
    """One of the three with its function, which gives a number for each frame [T] of RGB frames [T, 224, 224, 3] and a text, or a sound
    [S] and its rate in Hz."""

    metric: str
    function: FrameFunction
    function_name: str

    @property
    def name(self) -> str:
        return f"{self.metric} ({self.function_name})"

    def of(self, frames_THWC: Frames, pair: ClipPair) -> float:
        """Return the mean for frames beside the label or the sound of a clip. Undefined without a label.

        Raises TrainingError where the function returns something else than a number a frame.
        """
        if self.metric == IA:
            return self._mean(frames_THWC, pair.film.sound_S[: self._samples(pair)], SOUND_RATE_HZ)
        return self._mean(frames_THWC, pair.label) if pair.label else math.nan

    def _mean(self, frames_THWC: Frames, *beside: object) -> float:
        found_T = number_a_frame(self.name, self.function, frames_THWC, *beside)
        return float(found_T.mean()) if self.metric == CLIPSIM else PER_CENT * float(found_T[1:].mean())

    def _samples(self, pair: ClipPair) -> int:
        return round(pair.frames / pair.film.fps * SOUND_RATE_HZ)


class Likenesses:
    """Measures clip after clip: rendered frames with their own label and sound, with those of another clip, and the real frames."""

    def __init__(self, chosen: Sequence[Likeness]) -> None:
        self._chosen = chosen
        self._found = {likeness.name: (list[float](), list[float](), list[float]()) for likeness in chosen}

    def add(self, pair: ClipPair, other: ClipPair | None, rendered_THWC: Frames, real_THWC: Frames) -> None:
        """Take one clip, and the one that gives it another sound and label. Raises TrainingError as `Likeness.of`."""
        if not self._chosen:
            return
        rendered_THWC, real_THWC = squeezed(rendered_THWC), squeezed(real_THWC)
        for likeness in self._chosen:
            each, floor, ceiling = self._found[likeness.name]
            each.append(likeness.of(rendered_THWC, pair))
            # With its own label again it would be no floor.
            usable = other is not None and (likeness.metric == IA or other.label != pair.label)
            floor.append(likeness.of(rendered_THWC, other) if other is not None and usable else math.nan)
            ceiling.append(likeness.of(real_THWC, ClipPair(pair.real, pair.real, pair.label)))

    def measures(self) -> list[Measure]:
        """Return the means over the clips taken."""
        return [
            Measure.over_clips(
                likeness.name,
                *self._found[likeness.name],
                floor_is="the sound of another clip" if likeness.metric == IA else "another label",
                ceiling_is="the real clips",
            )
            for likeness in self._chosen
        ]
