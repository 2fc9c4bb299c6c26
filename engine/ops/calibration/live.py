"""Calibration in the venue: clicks on the loudspeakers, captured by the microphone, and a flash in the window for each.

The flash takes the path of the effects: drawn as soon as its click is captured, without waiting for a hop. A film of the window
measures the whole path (film.py). Without a film, the path inside the machine is measured and the rest estimated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.audio.source import Source
from engine.core.clock import Clock
from engine.core.errors import ConfigError
from engine.media.channels import mix_down
from engine.media.cleaning import silence_faults
from engine.ops.calibration.clicks import ClickDetector, ClickOutput
from engine.ops.calibration.detection import Offset, pair_offset
from engine.output.frame import Frame, ShowFormat
from engine.output.sink import WindowSink
from engine.render.latency_budget import DISPLAY_HZ

CLICKS = 40
GAP_S = (0.4, 0.9)
"""Shortest and longest distance of two clicks: at most three flashes within any second."""
FLASH_S = 0.12
SIDE = 256
_WAIT_S = 0.004
_LAST_S = 1.0
_LATE_S = 10.0
"""Longest start of a sound server."""
_ROUND_TRIP_JITTER_S = 0.03


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """Measurements inside the machine."""

    round_trip: Offset
    """From the output driver to the input driver: converters, buffers and the air between loudspeaker and microphone."""
    drawn_s: float
    """Median time from a click's capture to the return of the window's drawing."""
    flashes: int

    @property
    def estimate_s(self) -> float:
        """Sound to light without a camera: half the round trip for the input, the drawing, half a refresh for the display."""
        return max(0.0, self.round_trip.median_s / 2.0) + self.drawn_s + 0.5 / DISPLAY_HZ


def calibrate(
    source: Source, window: WindowSink, output: ClickOutput, clock: Clock, say: Callable[[str], None] = print
) -> Calibration:
    """Play clicks and flash for each one detected, until `output` has ended or the window is closed.

    Opens and closes source and window. Raises SourceError, SinkError, and ConfigError when the clicks are not detected.
    """
    flasher = _Flasher(source, window, clock)
    try:
        window.open(flasher.show)
        source.start()
        output.start()
        # An output that is lost never ends.
        until_s = clock.now_s() + output.duration_s + _LATE_S
        while window.poll() and clock.now_s() < until_s:
            flasher.poll()
            for line in source.notices():
                say(line)
            if output.has_ended:
                until_s = min(until_s, clock.now_s() + _LAST_S)
    finally:
        for part in (output, source, window):
            part.close()
    try:
        round_trip = pair_offset(output.played_s, flasher.captured_s, _ROUND_TRIP_JITTER_S)
    except ConfigError as error:
        raise ConfigError(
            f"{len(output.played_s)} clicks were played on '{output.name}' and {len(flasher.captured_s)} received from "
            f"{source.name}, too few of them the same; turn the loudspeakers up, or connect the output to the input by a cable."
        ) from error
    return Calibration(
        round_trip=round_trip, drawn_s=float(np.median(flasher.drawn_s)), flashes=len(flasher.captured_s)
    )


class _Flasher:
    """Turns detected clicks into flashes."""

    def __init__(self, source: Source, window: WindowSink, clock: Clock) -> None:
        self._source, self._window, self._clock = source, window, clock
        self._detector = ClickDetector(source.rate_hz)
        self._lit_until_s: float | None = None
        self._index = 0
        self.captured_s: list[float] = []
        self.drawn_s: list[float] = []
        self.show = ShowFormat(
            title="calibration",
            width=SIDE,
            height=SIDE,
            fps=DISPLAY_HZ,
            sound_rate_hz=source.rate_hz,
            sound_channels=source.channels,
            live=True,
        )

    def poll(self) -> None:
        """Process the sound that has arrived, or wait a little; draw flashes."""
        block = self._source.read()
        if block is None or not len(block[0]):
            self._source.wait(_WAIT_S)
        else:
            sound_TC, captured_s = block
            behind = self._detector.feed(mix_down(silence_faults(sound_TC)[0]))
            if behind is not None and captured_s is not None:
                clicked_s = captured_s - behind / self._source.rate_hz
                self._draw(255)
                self.captured_s.append(clicked_s)
                self.drawn_s.append(self._clock.now_s() - clicked_s)
                self._lit_until_s = self._clock.now_s() + FLASH_S
        if self._lit_until_s is not None and self._clock.now_s() >= self._lit_until_s:
            self._lit_until_s = None
            self._draw(0)

    def _draw(self, level: int) -> None:
        self._index += 1
        self._window.show(
            Frame(
                index=self._index,
                pixels_HWC=np.full((SIDE, SIDE, 3), level, np.uint8),
                features_F=np.zeros(1, np.float32),
                sound_TC=np.zeros((0, self._source.channels), np.float32),
                first_sample=0,
                time_s=0.0,
                captured_s=None,
            )
        )
