"""Test clicks: their sound and start times, an output that plays them, and a detector."""

# sounddevice ships no types.
# pyright: basic

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.audio.sources.portaudio import OPEN_STREAMS, find_output, load_sounddevice
from engine.core.clock import Clock
from engine.core.errors import SinkError

# T samples, C channels

CLICK_S = 0.008
OUTPUT_RATE_HZ = 48000
_OLDEST_BLOCK_S = 0.5
_GAP_S = 0.15
_SMOOTHED_S = 0.001
_ABOVE_BACKGROUND = 8.0
_LEAST_CHANGE = 2e-3
_BACKGROUND_S = 0.5


def click_sound(rate_hz: int) -> NDArray[np.float32]:
    """Return one click [T]: a noise burst whose first sample is loud."""
    burst_T = np.random.default_rng(0).uniform(-0.9, 0.9, round(CLICK_S * rate_hz))
    burst_T[0] = 0.9
    return burst_T.astype(np.float32)


def click_starts(clicks: int, seed: int, rate_hz: int, first_s: float, gap_s: tuple[float, float]) -> list[int]:
    """Return the start sample of each click. Random distances cover every phase of a hop and make the pairing unique."""
    gaps_s = np.random.default_rng(seed).uniform(*gap_s, clicks)
    return [round((first_s + passed_s) * rate_hz) for passed_s in np.cumsum(gaps_s) - gaps_s[0]]


class ClickOutput:
    """Plays clicks on the default output, or the one whose name contains `name`."""

    def __init__(self, starts: Sequence[int], clock: Clock, name: str | None = None) -> None:
        """Find the output. Raises SourceError without one."""
        self._device = find_output(name)
        self._starts = list(starts)
        self._clock = clock
        self._click_T = click_sound(OUTPUT_RATE_HZ)
        self._played = 0
        self._next = 0
        self._stream: Any = None
        self.name = self._device.name
        self.played_s: list[float] = []
        """Output time of each click, from the driver."""

    @property
    def has_ended(self) -> bool:
        return self._next == len(self._starts) and self._played > self._starts[-1] + len(self._click_T)

    @property
    def duration_s(self) -> float:
        return (self._starts[-1] + len(self._click_T)) / OUTPUT_RATE_HZ

    def start(self) -> None:
        """Start to play. Raises SinkError."""
        sounddevice = load_sounddevice()
        try:
            self._stream = sounddevice.OutputStream(
                device=self._device.index,
                samplerate=OUTPUT_RATE_HZ,
                channels=self._device.channels,
                dtype="float32",
                # Latency does not matter here, because it is measured; losses would.
                latency="high",
                callback=self.fill,
            )
            OPEN_STREAMS.opened()
            self._stream.start()
        except (sounddevice.PortAudioError, ValueError) as error:
            raise SinkError(
                f"The output '{self.name}' cannot be opened ({error}); is another program holding it?"
            ) from error

    def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close(ignore_errors=True)
            OPEN_STREAMS.closed()

    def fill(self, sound_TC: NDArray[np.float32], samples: int, times: Any, status: Any) -> None:
        """Fill one block of the output: the audio callback."""
        now_s = self._clock.now_s()
        ahead_s = times.outputBufferDacTime - times.currentTime
        start_s = now_s + (ahead_s if 0.0 <= ahead_s < _OLDEST_BLOCK_S else 0.0)
        sound_TC[:] = 0.0
        # The click that is sounding, and those that start in this block.
        for index in range(max(self._next - 1, 0), len(self._starts)):
            offset = self._starts[index] - self._played
            if offset >= samples:
                break
            if index == self._next:
                self.played_s.append(start_s + offset / OUTPUT_RATE_HZ)
                self._next += 1
            part_T = self._click_T[max(-offset, 0) : max(samples - offset, 0)]
            sound_TC[max(offset, 0) : max(offset, 0) + len(part_T)] = part_T[:, None]
        self._played += samples


class ClickDetector:
    """Detects clicks in a stream, in the block in which they start."""

    def __init__(self, rate_hz: int) -> None:
        self._length = max(1, round(_SMOOTHED_S * rate_hz))
        self._gap = round(_GAP_S * rate_hz)
        self._background_samples = round(_BACKGROUND_S * rate_hz)
        self._last = 0.0
        self._tail_T = np.zeros(self._length)
        self._background = 0.0
        self._received = 0
        # No detection before the background is measured.
        self._ignored_until = self._background_samples

    def feed(self, mono_T: NDArray[np.float32]) -> int | None:
        """Return the number of samples from the start of a click to the end of the block; None without a click."""
        if not len(mono_T):
            return None
        change_T = np.abs(np.diff(mono_T, prepend=self._last))
        self._last = float(mono_T[-1])
        joined_T = np.concatenate([self._tail_T, change_T])
        summed_T = np.cumsum(joined_T)
        strength_T = (summed_T[self._length :] - summed_T[: -self._length]) / self._length
        self._tail_T = joined_T[-self._length :]
        limit = max(_ABOVE_BACKGROUND * self._background, _LEAST_CHANGE)
        loud = np.flatnonzero(strength_T >= limit)
        found = [int(position) for position in loud if self._received + position >= self._ignored_until]
        self._received += len(mono_T)
        if len(loud):
            self._ignored_until = max(self._ignored_until, self._received - len(mono_T) + int(loud[-1]) + self._gap)
        # The mean of all sound at first, of about the newest half second later.
        share = len(mono_T) / min(self._received, self._background_samples)
        self._background += min(1.0, share) * (float(change_T.mean()) - self._background)
        return len(mono_T) - found[0] if found else None
