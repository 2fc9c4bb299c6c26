"""AlignSync (Zhang et al., AVSyncD, ECCV 2024): in time with the sound as the reference is, and showing what the sound is of.

AlignSync is RelSync times the mean over a stretch's frames, without its first one, of exp(i) / (exp(i) + exp(i of the reference)): i is a
similarity of an image and a sound, of the reference that of its first frame. The authors' similarity is the cosine of ImageBind's vectors; any other can be given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
from numpy.typing import NDArray

from training.core.named_functions import load_function, number_a_frame
from training.data.clip_sound import read_sound
from training.data.frames import read_whole_frames
from training.evaluation.synchrony.classifier_figures import (
    UNDEFINED,
    FilmClassification,
    exchanges,
    possible_starts_s,
    relative_scores,
)
from training.evaluation.synchrony.figures import Figure

# W stretches, T frames, H W rows and columns of pixels, C colours, S samples of sound

ALIGN_SYNC = "AlignSync"
SIDE, RATE_HZ = 224, 16_000
MOST_EXCHANGES = 4
"""For the floor: each asks the similarity about every stretch again, which takes seconds with a large network."""

Similarity = Callable[[NDArray[np.uint8], NDArray[np.float32], int], NDArray[np.floating]]
"""Takes RGB frames [T, 224, 224, 3], a sound [S] and its rate in Hz, and returns how alike each frame and the sound are [T]: a cosine."""


def load_similarity(name: str) -> Similarity:
    """Return the function `module:function`. Raises TrainingError where there is none."""
    return cast("Similarity", load_function(name, "--similarity"))


def align_sync(film: FilmClassification, reference: FilmClassification, similarity: Similarity) -> Figure:
    """Return AlignSync of a film beside its reference; its floor is that with sound of other moments of the film.

    Undefined where one is too short or silent. Raises TrainingError for a similarity that returns something else than a number a frame.
    """
    window_s, fps = film.classifier.window_s, film.classifier.fps
    common_s = min(film.film.duration_s, reference.film.duration_s)
    starts_s, _ = possible_starts_s(common_s, window_s, fps)
    if not starts_s or film.film.is_silent or reference.film.is_silent:
        return UNDEFINED
    own, real = _Seen(film, similarity), _Seen(reference, similarity)
    usual_W = {start_s: float(real.likeness(start_s, start_s, window_s)[0]) for start_s in starts_s}

    def beside_reference(frames_s: list[float], sound_s: list[float]) -> float:
        synchrony_W = relative_scores(
            film.encoded.scores(frames_s, sound_s), reference.encoded.scores(frames_s, frames_s)
        )
        aligned_W = [
            np.mean(relative_scores(own.likeness(begin_s, heard_s, window_s)[1:], np.array(usual_W[begin_s])))
            for begin_s, heard_s in zip(frames_s, sound_s, strict=True)
        ]
        return float(np.mean(synchrony_W * np.array(aligned_W)))

    ways = exchanges(starts_s, window_s)
    chosen = np.linspace(0, len(ways) - 1, min(len(ways), MOST_EXCHANGES)).round().astype(int)
    floor = np.array([beside_reference(*ways[number]) for number in chosen.tolist()])
    return Figure.of(beside_reference(starts_s, starts_s), (), np.zeros(0), floor)


class _Seen:
    """The frames and the sound of one film, as a similarity takes them."""

    def __init__(self, film: FilmClassification, similarity: Similarity) -> None:
        self._similarity, self._fps = similarity, film.classifier.fps
        self._sound_S = read_sound(film.sound_from, RATE_HZ)
        self._frames_THWC = [
            np.asarray(frame_HWC, np.uint8) for frame_HWC in read_whole_frames(film.film.path, self._fps, SIDE)
        ]

    def likeness(self, frames_s: float, sound_s: float, window_s: float) -> NDArray[np.float64]:
        """Return how alike each frame [T] of a stretch and the sound of a stretch are."""
        first, count = round(frames_s * self._fps), max(2, round(window_s * self._fps))
        sample = round(sound_s * RATE_HZ)
        frames_THWC = np.stack(self._frames_THWC[first : first + count])
        sound_S = self._sound_S[sample : sample + round(window_s * RATE_HZ)]
        return number_a_frame("The similarity", self._similarity, frames_THWC, sound_S, RATE_HZ)
