"""Gives files the frames of a film that has another rate than the model, in a rendering and in a replay.

As in a window, the model keeps its own rate and the effects move at the film's: each frame of the film has the audio features, the
values and the effects of its own moment. Everything depends on media time alone, so a film is the same each time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from engine.audio.features.audio_features import AudioFeatures
from engine.control.modulation.modulator import Modulator
from engine.output.frame import Frame
from engine.render.sink_group import SinkGroup

# H W C rows, columns, channels of pixels; T audio samples, C channels

_ROUNDING_S = 1e-6


def film_frames(hops: int, hop_s: float, fps: Fraction) -> int:
    """Return how many frames a film of so many hops of sound has."""
    frames, before = (_frames_until(count * hop_s, fps) for count in (hops, max(0, hops - 1)))
    # Sound that is left at the end gets a frame of its own, see `finish`.
    return frames + (hops > 0 and frames == before)


def _frames_until(time_s: float, fps: Fraction) -> int:
    return math.floor((time_s + _ROUNDING_S) * fps)


class FilmDelivery:
    """Serves a group of sinks. `give` belongs to the step loop."""

    def __init__(
        self,
        group: SinkGroup,
        fps: Fraction,
        features_at: Callable[[float], AudioFeatures],
        modulator: Modulator,
        *,
        is_blended: bool = False,
    ) -> None:
        """`features_at` returns the audio features at a media time in seconds; `modulator` is this film's own."""
        self.group = group
        self._fps = fps
        self._features_at = features_at
        self._modulator = modulator
        self._is_blended = is_blended
        self._frames = 0
        self._before: Frame | None = None
        self._sound: list[NDArray[np.float32]] = []

    def give(self, frame: Frame) -> None:
        """Give the frames of the film up to a model frame's time, with all sound since the last ones. Raises as SinkGroup.give."""
        self._sound.append(frame.sound_TC)
        until = _frames_until(frame.time_s, self._fps)
        for number in range(self._frames, until):
            time_s = float((number + 1) / self._fps)
            self.group.give(self._film_frame(frame, self._pixels(frame, time_s), time_s))
        self._frames = max(self._frames, until)
        self._before = frame

    def finish(self) -> None:
        """Give one more frame where sound is left that belongs to none yet: a film slower than the model would end before its sound.

        Safe to call twice. Raises as `give`.
        """
        last = self._before
        if last is None or not any(len(sound_TC) for sound_TC in self._sound):
            return
        self._frames += 1
        self.group.give(self._film_frame(last, last.pixels_HWC, float(self._frames / self._fps)))

    def _film_frame(self, frame: Frame, pixels_HWC: NDArray[np.uint8], time_s: float) -> Frame:
        audio_features = self._features_at(time_s)
        sound_TC = np.concatenate(self._sound) if self._sound else frame.sound_TC[:0]
        self._sound = []
        end_sample = frame.first_sample + len(frame.sound_TC)
        return replace(
            frame.with_pixels(pixels_HWC),
            sound_TC=sound_TC,
            first_sample=end_sample - len(sound_TC),
            time_s=time_s,
            audio_features=audio_features,
            values=self._modulator.values(frame.given_values, audio_features, frame.features_F, time_s),
            skipped_hops=0,
        )

    def _pixels(self, frame: Frame, time_s: float) -> NDArray[np.uint8]:
        """Return the model frame of a moment: the one whose hop it lies in, or with blending a mixture of that and the one before."""
        before = self._before
        if before is None:
            return frame.pixels_HWC
        # A show that skipped hops held the frame before.
        hop_s = (frame.time_s - before.time_s) / (1 + frame.skipped_hops)
        share = 1.0 - (frame.time_s - time_s) / hop_s
        if share <= _ROUNDING_S / hop_s:
            return before.pixels_HWC
        is_whole = share >= 1.0 - _ROUNDING_S / hop_s
        if is_whole or not self._is_blended or before.pixels_HWC.shape != frame.pixels_HWC.shape:
            return frame.pixels_HWC
        import cv2

        mixed = cv2.addWeighted(before.pixels_HWC, 1.0 - share, frame.pixels_HWC, share, 0.0)
        return np.asarray(mixed, np.uint8)
