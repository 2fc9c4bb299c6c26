"""Rendered clips with the real ones that they stand beside: their frames, and which sound and label stands for those of another clip."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.core.counted import counted
from engine.core.errors import TrainingError
from training.core.frame_size import FrameSize
from training.data.frames import read_frames, shown_size
from training.data.video import ClipFormat
from training.evaluation.synchrony.film import DIFFERENCE_S, SOUND_RATE_HZ, Film, read_film

# T frames, H W rows and columns, C colours

Frames = NDArray[np.uint8]
SIDE = 224
"""Rows and columns of the frames that functions for frames and texts, or frames and sounds, take."""


@dataclass(frozen=True, slots=True)
class ClipPair:
    """A rendered clip and its real one, measured over the frames that both have."""

    film: Film
    real: Film
    label: str = ""
    """What is seen and sounds; empty where it is not known."""

    @property
    def frames(self) -> int:
        return min(self.film.frames, self.real.frames)

    def pixels_THWC(self) -> tuple[Frames, Frames]:
        """Return the frames [T, H, W, 3] of both; the real ones are cut to the rendered clip's shape and resized to its size.

        Raises MediaError for a file that cannot be read any more.
        """
        size = FrameSize(*reversed(shown_size(self.film.path)))
        form = ClipFormat(fps=self.film.fps, image_size=size.image_size, sample_rate_hz=SOUND_RATE_HZ)
        rendered, real = (_first(film.path, form, self.frames) for film in (self.film, self.real))
        return rendered, real

    def notices(self) -> list[str]:
        """Return a sentence where the two have different names or lengths."""
        own, real, found = self.film.path, self.real.path, list[str]()
        if own.stem != real.stem:
            found.append(
                f"{own.name} stands beside {real.name}, which has another name; clips are paired in their order."
            )
        if abs(self.film.duration_s - self.real.duration_s) > DIFFERENCE_S:
            found.append(
                f"{own.name} has {self.film.duration_s:.1f} s and its real clip {real.name} {self.real.duration_s:.1f} s; "
                f"the first {counted(self.frames, 'frame')} of both are compared."
            )
        return found


def read_pair(path: Path, reference: Path, fps: int | None, label: str = "") -> ClipPair:
    """Read a rendered clip at its own rate unless `fps` is given, and its real one at the same. Raises MediaError as `read_film`."""
    film = read_film(path, fps)
    pair = ClipPair(film, read_film(reference, film.fps), label)
    for one in (pair.film, pair.real):
        if one.frames < 2:
            raise TrainingError(f"{one.path} has {counted(one.frames, 'frame')} with sound; at least 2 were expected.")
    return pair


def others(labels: Sequence[str]) -> list[int | None]:
    """Return for each clip another one, whose sound and label it gets for a floor: the first of another label, from half of the clips away on.

    Several clips of one film are neighbours, so the search begins far away. Without labels, or where all are alike, any other clip
    serves; None where there is none.
    """
    count = len(labels)
    found: list[int | None] = []
    for index, label in enumerate(labels):
        order = [(index + count // 2 + step) % count for step in range(count)]
        different = (other for other in order if labels[other] != label)
        any_other = (other for other in order if other != index)
        found.append(next(itertools.chain(different, any_other), None))
    return found


def with_sound_of(film: Film, other: Film) -> Film:
    """Return a film with the sound of another one, as long as both go."""
    frames = min(film.frames, int(other.duration_s * film.fps + 1e-6))
    ends_s = frames / film.fps
    return replace(
        film,
        frames=frames,
        sound_S=other.sound_S[: round(ends_s * SOUND_RATE_HZ)],
        onsets_s=other.onsets_s[other.onsets_s < ends_s],
        motion_N=film.motion_N[:frames],
        flow_N=film.flow_N[:frames],
        notices=(),
    )


def squeezed(frames_THWC: Frames) -> Frames:
    """Return frames as squares [T, 224, 224, 3]."""
    smaller = min(frames_THWC.shape[1:3]) >= SIDE
    interpolation = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return np.stack([cv2.resize(frame, (SIDE, SIDE), interpolation=interpolation) for frame in frames_THWC]).astype(
        np.uint8
    )


def _first(path: Path, form: ClipFormat, count: int) -> Frames:
    with closing(read_frames(path, form)) as frames:
        return np.stack(list(itertools.islice(frames, count)))
