"""What has been heard so far: from a source's blocks to the window and the stretch of sound that belong to each hop.

The result depends on the sound alone, never on how it was cut into blocks.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from engine.audio.resample import Resampler
from engine.model.card import ModelCard

# T samples, C channels

LONGEST_WINDOW_S = 1
"""Models that hear no further back than this can take each other's place in a running show."""


def window_samples(card: ModelCard) -> int:
    """Return how much of the newest sound a show of this model gives each step."""
    return max(card.window_samples, card.sample_rate_hz * LONGEST_WINDOW_S)


class WindowBuffer:
    """The newest sound at the model's rate, and the sound not yet handed on at the source's."""

    def __init__(self, card: ModelCard, source_rate_hz: int, channels: int) -> None:
        self._card = card
        self._resampler = Resampler(source_rate_hz, card.sample_rate_hz)
        # Silence before the start: the first windows reach back into it.
        self._window_samples = window_samples(card)
        self._mono_T = np.zeros(self._window_samples, np.float32)
        self._heard_samples = 0
        self._pending_TC: deque[NDArray[np.float32]] = deque()
        self._channels = channels
        self._taken_source_samples = 0
        self._source_samples = 0
        self._captured_s: float | None = None

    @property
    def rate_hz(self) -> int:
        """The model's rate."""
        return self._card.sample_rate_hz

    @property
    def received_samples(self) -> int:
        """Samples heard since the start, at the model's rate."""
        return self._heard_samples

    @property
    def resampler_delay_s(self) -> float:
        return self._resampler.delay_s

    @property
    def newest_captured_s(self) -> float | None:
        """When the newest sample that has come was captured; None offline and before the first."""
        return self._captured_s

    def hear(self, sound_TC: NDArray[np.float32], captured_s: float | None) -> NDArray[np.float32]:
        """Take the next sound and return what it adds in mono at the model's rate; its last sample was captured at `captured_s`."""
        if not len(sound_TC):
            return np.zeros(0, np.float32)
        self._pending_TC.append(sound_TC)
        self._source_samples += len(sound_TC)
        self._captured_s = captured_s
        return self._append(self._resampler.feed(sound_TC))

    def finish(self) -> NDArray[np.float32]:
        """The sound is over: let out what the resampler held back, fill the last hop with silence, and return what that adds."""
        held_T = self._append(self._resampler.finish())
        missing = -self._heard_samples % self._card.hop_samples
        return np.concatenate([held_T, self._append(np.zeros(missing, np.float32))])

    def window(self, index: int) -> NDArray[np.float32]:
        """Return the newest sound at the end of hop `index`, at least LONGEST_WINDOW_S of it, whatever the model's own window is.

        The hop must be complete and not older than the last one taken.
        """
        behind = self._heard_samples - (index + 1) * self._card.hop_samples
        end = len(self._mono_T) - behind
        window_T = self._mono_T[end - self._window_samples : end].copy()
        self._mono_T = self._mono_T[end - self._window_samples :]
        return window_T

    def captured_s(self, index: int) -> float | None:
        """Return when the newest sample of hop `index` was captured; None offline."""
        if self._captured_s is None:
            return None
        return self._captured_s - (self._source_samples - self._source_end(index)) / self._resampler.source_rate_hz

    def take_sound(self, index: int) -> NDArray[np.float32]:
        """Take all sound up to the end of hop `index` that has not been taken, as it came from the source [T, C]."""
        wanted = min(self._source_end(index), self._source_samples) - self._taken_source_samples
        parts: list[NDArray[np.float32]] = []
        while wanted > 0:
            part = self._pending_TC.popleft()
            if len(part) > wanted:
                self._pending_TC.appendleft(part[wanted:])
                part = part[:wanted]
            parts.append(part)
            wanted -= len(part)
            self._taken_source_samples += len(part)
        return np.concatenate(parts) if parts else np.zeros((0, self._channels), np.float32)

    def _source_end(self, index: int) -> int:
        return round((index + 1) * self._card.hop_samples * self._resampler.source_rate_hz / self._card.sample_rate_hz)

    def _append(self, mono_T: NDArray[np.float32]) -> NDArray[np.float32]:
        if len(mono_T):
            self._mono_T = np.concatenate([self._mono_T, mono_T])
            self._heard_samples += len(mono_T)
        return mono_T
