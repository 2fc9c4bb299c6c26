"""The window buffer: from a source's blocks to the sound window and the source sound of each hop.

The result depends on the sound alone, never on the block size.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from engine.audio.input_layout import UNNAMED, InputLayout
from engine.audio.input_mix import film_channels, film_sound, model_sound
from engine.audio.resample import Resampler
from engine.media.cleaning import SoundCleaner
from engine.model.card import ModelCard

# T audio samples, C channels

LONGEST_WINDOW_S = 1
"""Models with a sound window up to this length can replace each other in a running show."""


def window_samples(card: ModelCard) -> int:
    """Return the length of the sound window in a show of this model."""
    return max(card.window_samples, card.sample_rate_hz * LONGEST_WINDOW_S)


class WindowBuffer:
    """The newest sound at the model's rate, cleaned, and the sound for films, as it came, that was not yet taken."""

    def __init__(
        self,
        card: ModelCard,
        source_rate_hz: int,
        channels: int,
        layout: InputLayout = UNNAMED,
        cleaner: SoundCleaner | None = None,
    ) -> None:
        self._card = card
        self._layout = layout
        self._cleaner = cleaner or SoundCleaner(source_rate_hz)
        self._resampler = Resampler(source_rate_hz, card.sample_rate_hz)
        # Silence before the start: the first windows reach back into it.
        self._window_samples = window_samples(card)
        self._mono_T = np.zeros(self._window_samples, np.float32)
        self._received_samples = 0
        self._lead_in_samples = 0
        self._source_blocks: deque[NDArray[np.float32]] = deque()
        self._channels = film_channels(layout, channels)
        self._popped_source_samples = 0
        self._source_samples = 0
        self._captured_s: float | None = None
        self._newest_sample: tuple[float, float] | None = None

    @property
    def rate_hz(self) -> int:
        """The model's rate."""
        return self._card.sample_rate_hz

    @property
    def hop_samples(self) -> int:
        """The hop of the model."""
        return self._card.hop_samples

    @property
    def received_samples(self) -> int:
        """Samples received since the start, at the model's rate."""
        return self._received_samples

    @property
    def lead_in_samples(self) -> int:
        """Samples heard before the start, at the model's rate."""
        return self._lead_in_samples

    @property
    def resampler_delay_s(self) -> float:
        return self._resampler.delay_s

    @property
    def newest_sample(self) -> tuple[float, float] | None:
        """The number of the newest sample received, at the model's rate, also while the resampler still holds it back, and when it
        was captured; None offline and before the first. One value, so that any thread may read it."""
        return self._newest_sample

    def notices(self) -> list[str]:
        """Return the notices since the last call: samples that are no sound."""
        return self._cleaner.notices()

    def append(self, sound_TC: NDArray[np.float32], captured_s: float | None) -> NDArray[np.float32]:
        """Append a block whose last sample was captured at `captured_s`; return the cleaned mono samples it adds at the model's rate."""
        if not len(sound_TC):
            return np.zeros(0, np.float32)
        self._source_blocks.append(film_sound(self._layout, sound_TC))
        self._source_samples += len(sound_TC)
        self._captured_s = captured_s
        if captured_s is not None:
            sample = self._source_samples * self._card.sample_rate_hz / self._resampler.source_rate_hz
            self._newest_sample = (sample, captured_s)
        cleaned_T = self._cleaner.feed(model_sound(self._layout, sound_TC))
        return self._append_mono(self._resampler.feed(cleaned_T[:, None]))

    def lead_in(self, sound_TC: NDArray[np.float32], hops: int) -> None:
        """Hear the sound of `hops` before the first one. Windows reach back into it; films do not get it. Before `append` only."""
        self.append(sound_TC, None)
        self._lead_in_samples = hops * self._card.hop_samples
        self._received_samples -= self._lead_in_samples
        self._source_blocks.clear()
        self._source_samples = 0

    def finish(self) -> NDArray[np.float32]:
        """End the sound: flush the resampler, fill the last hop with silence, and return the mono samples that this adds."""
        self._cleaner.finish()
        flushed_T = self._append_mono(self._resampler.finish())
        missing = -self._received_samples % self._card.hop_samples
        return np.concatenate([flushed_T, self._append_mono(np.zeros(missing, np.float32))])

    def change(self, begin: int, end: int, change: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> None:
        """Put what `change` makes of the samples from `begin` to `end`, counted since the start, in their place."""
        part_T = self.sound(begin, end)
        changed_T = change(part_T)
        if changed_T is not part_T:
            part_T[:] = changed_T

    def sound(self, begin: int, end: int) -> NDArray[np.float32]:
        """Return the samples from `begin` to `end`, counted since the start; those of hops not yet asked for are all there."""
        offset = len(self._mono_T) - self._received_samples
        return self._mono_T[offset + begin : offset + end]

    def window(self, index: int) -> NDArray[np.float32]:
        """Return the sound window that ends with hop `index`: LONGEST_WINDOW_S, or more if the first model's window is longer.

        The hop must be complete and not older than the last one asked for.
        """
        end = (index + 1) * self._card.hop_samples
        window_T = self.window_until(end)
        self._mono_T = self.sound(end - self._window_samples, self._received_samples)
        return window_T

    def window_until(self, end: int) -> NDArray[np.float32]:
        """Return the sound window that ends before sample `end`, which lies after the last hop that was asked for."""
        return self.sound(end - self._window_samples, end).copy()

    def captured_s(self, end: int) -> float | None:
        """Return the capture time of the sample before `end`, counted since the start at the model's rate; None offline."""
        if self._captured_s is None:
            return None
        return self._captured_s - (self._source_samples - self._source_end(end)) / self._resampler.source_rate_hz

    def pop_sound(self, index: int) -> NDArray[np.float32]:
        """Remove and return the sound up to the end of hop `index`, at the source's rate and as films get it [T, C]."""
        end = self._source_end((index + 1) * self._card.hop_samples)
        wanted = min(end, self._source_samples) - self._popped_source_samples
        parts: list[NDArray[np.float32]] = []
        while wanted > 0:
            part = self._source_blocks.popleft()
            if len(part) > wanted:
                self._source_blocks.appendleft(part[wanted:])
                part = part[:wanted]
            parts.append(part)
            wanted -= len(part)
            self._popped_source_samples += len(part)
        return np.concatenate(parts) if parts else np.zeros((0, self._channels), np.float32)

    def _source_end(self, end: int) -> int:
        """Return which sample of the source belongs to sample `end` at the model's rate."""
        return round(end * self._resampler.source_rate_hz / self._card.sample_rate_hz)

    def _append_mono(self, mono_T: NDArray[np.float32]) -> NDArray[np.float32]:
        if len(mono_T):
            self._mono_T = np.concatenate([self._mono_T, mono_T])
            self._received_samples += len(mono_T)
        return mono_T
