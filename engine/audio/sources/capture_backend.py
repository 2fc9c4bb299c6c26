"""The protocol of capture backends: how inputs are found and how their sound comes in.

PortAudio is one library with two packages for Python, sounddevice and PyAudio; the sound server of Linux is another way in, which
knows its sources by name and gives their channels as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.audio.sources.sound_device import SoundDevice

# T samples, C channels

Receive = Callable[[NDArray[np.float32], float, bool], None]
"""Takes one block: its sound [T, C], valid during the call only; the age of its last sample in seconds, 0 where that is unknown;
whether sound was lost before it. It is called in the driver's thread and must not wait."""


class CaptureError(Exception):
    """A device that cannot be opened now; `str(error)` is the driver's reason."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamFormat:
    """What is asked of the driver."""

    rate_hz: int
    channels: int
    """So many are needed; the driver may give more."""
    block_samples: int
    latency_s: float


class CaptureStream(Protocol):
    """One open device."""

    @property
    def active(self) -> bool:
        """False once the device or its server is gone; a stall does not show here."""
        ...

    @property
    def latency_s(self) -> float:
        """Most sound that the driver holds back, by its own figure; not plausible with every driver."""
        ...

    def close(self) -> None:
        """Stop and release. With a dead server it may never return."""
        ...


class CaptureBackend(Protocol):
    """Finds inputs and opens them."""

    @property
    def opens_again(self) -> bool:
        """Whether this process can open a device again after its server has ended."""
        ...

    @property
    def follows_default(self) -> bool:
        """Whether the default input is followed when the user chooses another one."""
        ...

    @property
    def has_own_threads(self) -> bool:
        """Whether sound is received in a thread of ours, which may take a lock, rather than in one of the driver's."""
        ...

    def inputs(self) -> Sequence[SoundDevice]:
        """Return the inputs, the default first. Raises SourceError where the library or the server is missing."""
        ...

    def find(self, name: str | None) -> SoundDevice:
        """Return the input that is called `name`, or the default one. Raises SourceError with the names there are."""
        ...

    def refresh(self) -> None:
        """Look again which inputs there are."""
        ...

    def choose_rate_hz(self, device: SoundDevice, channels: int, preferred_hz: int) -> int:
        """Return `preferred_hz` if the device accepts it, else the device's own rate."""
        ...

    def open(self, device: SoundDevice, asked: StreamFormat, receive: Receive) -> CaptureStream:
        """Open and start. Raises CaptureError."""
        ...
