"""A capture backend with one invented device, whose blocks the test brings itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.audio.sources.capture_backend import CaptureError, Receive, StreamFormat
from engine.audio.sources.sound_device import SoundDevice, pick
from engine.core.errors import SourceError


@dataclass
class GivenStream:
    device: SoundDevice
    asked: StreamFormat
    receive: Receive
    active: bool = True
    latency_s: float = 0.0

    def close(self) -> None:
        self.active = False

    def bring(self, sound_TC: NDArray[np.float32], age_s: float = 0.005, has_lost: bool = False) -> None:
        """Give one block, with as many channels as the stream was asked for."""
        assert sound_TC.shape[1] == self.asked.channels
        self.receive(sound_TC, age_s, has_lost)


@dataclass
class GivenDevice:
    """One input, whose rates and channels can be changed while it is away."""

    name: str = "mixer"
    channels: int = 2
    rates_hz: tuple[int, ...] = (44100, 48000)
    there: bool = True
    opens: bool = True
    all_channels_only: bool = False
    opens_again: bool = True
    follows_default: bool = False
    has_own_threads: bool = False
    streams: list[GivenStream] = field(default_factory=list)
    opened: threading.Condition = field(default_factory=threading.Condition)

    def find(self, name: str | None) -> SoundDevice:
        if not self.there:
            raise SourceError("No input.")
        device = SoundDevice(index=0, name=self.name, channels=self.channels, rate_hz=self.rates_hz[0], is_default=True)
        return pick([device], name, "sound input")

    def refresh(self) -> None: ...

    def choose_rate_hz(self, device: SoundDevice, channels: int, preferred_hz: int) -> int:
        return preferred_hz if preferred_hz in self.rates_hz else device.rate_hz

    def open(self, device: SoundDevice, asked: StreamFormat, receive: Receive) -> GivenStream:
        if not self.opens or (self.all_channels_only and asked.channels != self.channels):
            raise CaptureError("Device unavailable")
        stream = GivenStream(device, asked, receive)
        with self.opened:
            self.streams.append(stream)
            self.opened.notify_all()
        return stream

    def wait_for_streams(self, count: int) -> GivenStream:
        """Return the stream number `count` once it is open."""
        with self.opened:
            assert self.opened.wait_for(lambda: len(self.streams) >= count, 20.0)
        return self.streams[count - 1]


def closes_at_once(close: Callable[[], None], monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> bool:
    """Tell whether what was closed already, and would wait for ever from now on, can be closed again."""
    monkeypatch.setattr(module, "CLOSE_WITHIN_S", None)
    again = threading.Thread(target=close, daemon=True)
    again.start()
    again.join(20.0)
    return not again.is_alive()
