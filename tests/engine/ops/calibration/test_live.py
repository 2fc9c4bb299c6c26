"""Calibration with real parts: clicks played into a sound server, captured again, and a flash shown for each."""

from __future__ import annotations

import ctypes.util
from collections.abc import Mapping

import numpy as np
import pytest

from engine.audio.sources.paced import PacedSource
from engine.audio.sources.portaudio import SoundDevice
from engine.audio.sources.registry import open_source
from engine.audio.sources.samples import SampleSource
from engine.core.clock import WallClock
from engine.core.errors import ConfigError
from engine.ops.calibration.clicks import OUTPUT_RATE_HZ, ClickOutput, click_starts
from engine.ops.calibration.live import GAP_S, calibrate
from engine.ops.calibration.venue import look_ahead_ms
from engine.output.frame import Frame, ShowFormat
from engine.output.sink import FrameRate
from tests.conftest import PulseServer, require
from tests.engine.app.shows import InventedClock

CLICKS = 8


class Wall:
    """A window that records its brightness."""

    name = "wall"
    rate: FrameRate = "display"
    with_effects = True
    standby = False
    refresh_hz: float | None = None
    is_drawn_by_processor = may_be_eased = False
    lost_frames = 0

    def __init__(self) -> None:
        self.levels: list[float] = []
        self.closed = False

    def open(self, show: ShowFormat) -> None: ...

    def wants(self, values: Mapping[str, float | int | bool]) -> bool:
        return True

    def show(self, frame: Frame) -> None:
        self.levels.append(float(frame.pixels_HWC.mean()))

    def poll(self) -> bool:
        return not self.closed

    def close(self) -> None:
        self.closed = True


def test_clicks_are_captured_and_flash(pulse_server: PulseServer) -> None:
    require(ctypes.util.find_library("portaudio"), "PortAudio (apt install libportaudio2)")
    from engine.audio.sources.portaudio import restart_portaudio

    restart_portaudio()
    wall, clock = Wall(), WallClock()
    starts = click_starts(CLICKS, 0, OUTPUT_RATE_HZ, first_s=3.0, gap_s=GAP_S)
    measured = calibrate(open_source("mic:pulse", live=True), wall, ClickOutput(starts, clock, "pulse"), clock)
    assert wall.closed
    assert measured.round_trip.clicks == CLICKS
    assert measured.round_trip.pairs >= CLICKS // 2
    assert wall.levels.count(255.0) == measured.flashes
    assert abs(wall.levels.count(0.0) - measured.flashes) <= 1
    assert measured.estimate_s >= measured.drawn_s > 0.0


def test_clicks_that_are_not_captured_are_reported(pulse_server: PulseServer) -> None:
    require(ctypes.util.find_library("portaudio"), "PortAudio (apt install libportaudio2)")
    clock = WallClock()
    starts = click_starts(5, 0, OUTPUT_RATE_HZ, first_s=0.2, gap_s=(0.2, 0.3))
    with pytest.raises(ConfigError, match="turn the loudspeakers up"):
        calibrate(open_source("tone:50", live=True), Wall(), ClickOutput(starts, clock, "pulse"), clock)


def test_an_output_that_never_plays_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    device = SoundDevice(index=0, name="out", channels=2, rate_hz=OUTPUT_RATE_HZ, is_default=True)
    monkeypatch.setattr("engine.ops.calibration.clicks.find_output", lambda name: device)
    monkeypatch.setattr(ClickOutput, "start", lambda output: None)
    clock = InventedClock()
    silence = SampleSource("silence", np.zeros((60 * OUTPUT_RATE_HZ, 1), np.float32), OUTPUT_RATE_HZ)
    with pytest.raises(ConfigError, match="0 clicks were played on 'out' and 0 received"):
        calibrate(PacedSource(silence, clock), Wall(), ClickOutput([0, 48000], clock), clock)
    assert 11.0 < clock.now_s() - 1000.0 < 12.0


def test_the_look_ahead_stays_within_the_parameters_range() -> None:
    assert look_ahead_ms(0.0631) == pytest.approx(63.1)
    assert look_ahead_ms(-0.02) == 0.0
    assert look_ahead_ms(3.0) == 500.0
