"""The microphone with an invented driver: blocks that grow, and a device that returns with another format."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from engine.audio.sources import microphone as module
from engine.audio.sources import portaudio
from engine.audio.sources.block_size import BLOCK_SIZES, OVERFLOWS, SETTLE_S, WITHIN_S, BlockSize
from engine.audio.sources.conversion import Conversion
from engine.audio.sources.microphone import Microphone
from engine.core.clock import WallClock
from engine.core.errors import SourceError
from tests.engine.app.shows import varied_sound
from tests.fixtures_display import wait_until

OVERFLOW = SimpleNamespace(input_overflow=True)
TIMES = SimpleNamespace(currentTime=1.0, inputBufferAdcTime=0.995)


def test_blocks_grow_when_sound_is_lost_again_and_again() -> None:
    blocks, now_s = BlockSize(0.0), SETTLE_S
    assert blocks.samples == BLOCK_SIZES[0]
    for size in BLOCK_SIZES[1:]:
        assert [blocks.note_overflow(now_s + 0.1 * count) for count in range(OVERFLOWS)] == [False] * (
            OVERFLOWS - 1
        ) + [True]
        assert blocks.samples == size
        now_s += 10.0
        blocks.note_opened(now_s)
        now_s += SETTLE_S
    assert not any(blocks.note_overflow(now_s + 0.1 * count) for count in range(20))


def test_rare_overflows_and_those_at_the_start_leave_blocks_small() -> None:
    blocks = BlockSize(0.0)
    assert not any(blocks.note_overflow(0.9 * SETTLE_S) for _ in range(20))
    assert not any(blocks.note_overflow(10.0 + count * WITHIN_S) for count in range(20))
    assert blocks.samples == BLOCK_SIZES[0]


@pytest.mark.parametrize(("rate_hz", "channels"), [(44100, 2), (48000, 1), (32000, 1)])
def test_another_rate_and_fewer_channels_are_converted(rate_hz: int, channels: int) -> None:
    conversion = Conversion(rate_hz, channels, 48000, 2)
    tone_T = np.sin(2 * np.pi * 440 * np.arange(rate_hz) / rate_hz).astype(np.float32)
    blocks = np.array_split(np.stack([tone_T * (1 - 0.5 * c) for c in range(channels)], 1), 300)
    came_TC = np.concatenate([conversion.convert(block) for block in blocks])
    assert came_TC.shape[1] == 2
    assert len(came_TC) == pytest.approx(48000, abs=200)
    spectrum = np.abs(np.fft.rfft(came_TC[:, 0]))
    assert np.argmax(spectrum) * 48000 / len(came_TC) == pytest.approx(440, abs=3)
    assert np.abs(came_TC[:, 1]).max() == pytest.approx(0.5 if channels == 2 else 1.0, rel=0.02)


def test_an_unchanged_format_is_not_converted() -> None:
    sound_TC = varied_sound(0.01, 48000)
    assert Conversion(48000, 2, 48000, 2).convert(sound_TC) is sound_TC


class DriverError(Exception):
    """What PortAudio raises."""


@dataclass
class Driver:
    """Stands in for sounddevice: one input, whose rate and channels can be changed while it is away."""

    rates_hz: tuple[int, ...] = (44100, 48000)
    channels: int = 2
    there: bool = True
    opens: bool = True
    streams: list[Any] = field(default_factory=list)
    opened: threading.Condition = field(default_factory=threading.Condition)
    default: Any = field(default_factory=lambda: SimpleNamespace(device=[0, 0]))
    PortAudioError = DriverError

    def query_devices(self) -> list[dict[str, Any]]:
        device = {"index": 0, "name": "mixer", "default_samplerate": float(self.rates_hz[0])}
        both = {"max_input_channels": self.channels, "max_output_channels": 8}
        return [{**device, **both}] if self.there else []

    def check_input_settings(self, samplerate: int, **settings: Any) -> None:
        if samplerate not in self.rates_hz:
            raise DriverError("Invalid sample rate")

    def InputStream(self, **settings: Any) -> Any:
        if not self.opens:
            raise DriverError("Device unavailable")
        stream = SimpleNamespace(active=True, start=lambda: None, close=lambda ignore_errors: None, **settings)
        with self.opened:
            self.streams.append(stream)
            self.opened.notify_all()
        return stream

    def _terminate(self) -> None: ...

    def _initialize(self) -> None: ...

    def wait_for_streams(self, count: int) -> None:
        with self.opened:
            assert self.opened.wait_for(lambda: len(self.streams) >= count, 20.0)

    def bring(self, stream: Any, sound_TC: np.ndarray, status: Any = None) -> None:
        stream.callback(sound_TC, len(sound_TC), TIMES, status)


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    driver = Driver()
    for place in (portaudio, module):
        monkeypatch.setattr(place, "load_sounddevice", lambda: driver)
    monkeypatch.setattr(module, "REOPEN_EVERY_S", 0.01)
    return driver


def open_microphone(clock: Any) -> Microphone:
    source = Microphone("mixer", clock)
    source.start()
    return source


class SteppedClock(WallClock):
    """The wall clock plus an offset."""

    ahead_s = 0.0

    def now_s(self) -> float:
        return super().now_s() + self.ahead_s


def test_small_blocks_grow_by_reopening_the_stream(driver: Driver) -> None:
    clock = SteppedClock()
    source = open_microphone(clock)
    try:
        assert driver.streams[0].blocksize == BLOCK_SIZES[0]
        assert driver.streams[0].latency == pytest.approx(2 * BLOCK_SIZES[0] / 48000)
        clock.ahead_s += SETTLE_S
        for _ in range(OVERFLOWS):
            driver.bring(driver.streams[0], varied_sound(0.002, 48000), OVERFLOW)
            source.read()
        driver.wait_for_streams(2)
        assert driver.streams[1].blocksize == BLOCK_SIZES[1]
        assert sum(f"grows to {BLOCK_SIZES[1]} samples" in line for line in source.notices()) == 1
        # The old stream's end is not the loss of the device.
        driver.streams[0].finished_callback()
        source.read()
        assert not any("was lost" in line for line in source.notices())
    finally:
        source.close()


def test_a_device_that_returns_with_another_rate_plays_on_and_says_so(driver: Driver) -> None:
    source = open_microphone(WallClock())
    try:
        assert (source.rate_hz, source.channels) == (48000, 2)
        driver.there, driver.rates_hz, driver.channels = False, (44100,), 1
        driver.streams[0].finished_callback()
        source.read()
        driver.there = True
        driver.wait_for_streams(2)
        assert (driver.streams[1].samplerate, driver.streams[1].channels) == (44100, 1)
        lines: list[str] = []
        came = 0
        driver.bring(driver.streams[1], np.full((4410, 1), 0.5, np.float32))

        def is_reported_and_received() -> bool:
            nonlocal came
            sound_TC, _ = source.read()
            assert sound_TC.shape[1] == 2
            came += int((sound_TC > 0.4).all(1).sum())
            lines.extend(source.notices())
            return came >= 4000 and any("44100" in line for line in lines)

        wait_until(is_reported_and_received, "the other rate's sound and notice")
        assert came == pytest.approx(4800, abs=100)
    finally:
        source.close()


def test_a_device_that_returns_and_does_not_open_is_reported_once(driver: Driver) -> None:
    source = open_microphone(WallClock())
    try:
        driver.opens = False
        driver.streams[0].finished_callback()
        lines: list[str] = []

        def is_reported() -> bool:
            source.read()
            lines.extend(source.notices())
            return any("cannot be opened yet" in line for line in lines)

        wait_until(is_reported, "the notice")
        driver.opens = True
        driver.wait_for_streams(2)
        assert sum("cannot be opened yet" in line for line in [*lines, *source.notices()]) == 1
    finally:
        source.close()


def test_outputs_are_found_by_part_of_their_name(driver: Driver) -> None:
    assert portaudio.find_output("MIX").channels == 2
    assert portaudio.find_output(None).name == "mixer"
    with pytest.raises(SourceError, match="No sound output is called 'hall'; available: 'mixer'"):
        portaudio.find_output("hall")
    driver.there = False
    with pytest.raises(SourceError, match="No loudspeaker"):
        portaudio.find_output(None)
