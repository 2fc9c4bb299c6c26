"""Calibration on the spot: clicks on the loudspeakers, heard again by the microphone, and a flash for each in the window.

The flash takes the way that effects take: drawn as soon as its click has been captured, without a wait for a hop. A telephone
that films the window measures the whole way (film.py); without one, the part that can be known from inside is measured and
the rest estimated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.audio.resample import mix_down
from engine.audio.sources.source import Source
from engine.core.clock import Clock
from engine.core.errors import ConfigError
from engine.ops.calibration.clicks import ClickDetector, ClickOutput
from engine.ops.calibration.detection import Offset, pair_offset
from engine.output.frame import Frame, ShowFormat
from engine.output.sink import WindowSink
from engine.render.latency_budget import DISPLAY_HZ

CLICKS = 40
GAP_S = (0.4, 0.9)
"""Distances between clicks: at most three flashes within any second."""
FLASH_S = 0.12
SIDE = 256
_WAIT_S = 0.004
_LAST_S = 1.0
_LATE_S = 10.0
"""A sound server may begin so late."""
_ROUND_TRIP_JITTER_S = 0.03


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """What was measured from inside."""

    round_trip: Offset
    """From the loudspeaker's driver to the microphone's: both converters, both buffers and the air between them."""
    drawn_s: float
    """Median time from a click's capture to the return of the window's drawing."""
    flashes: int

    @property
    def estimate_s(self) -> float:
        """Sound to light, as far as it can be told without a camera: half the round trip stands for the way in, half a refresh
        for the display."""
        return max(0.0, self.round_trip.median_s / 2.0) + self.drawn_s + 0.5 / DISPLAY_HZ


def calibrate(
    source: Source, window: WindowSink, output: ClickOutput, clock: Clock, say: Callable[[str], None] = print
) -> Calibration:
    """Play clicks and flash for each that is heard, until `output` is over or the window is closed.

    Opens source and presenter and closes them in any case. Raises SourceError, SinkError, and ConfigError when the clicks are
    not heard.
    """
    flasher = _Flasher(source, window, clock)
    try:
        window.open(flasher.show)
        source.start()
        output.start()
        # An output that is lost on the way never comes to its end.
        over_s = clock.now_s() + output.duration_s + _LATE_S
        while window.poll() and clock.now_s() < over_s:
            flasher.look()
            for line in source.notices():
                say(line)
            if output.over:
                over_s = min(over_s, clock.now_s() + _LAST_S)
    finally:
        for part in (output, source, window):
            part.close()
    try:
        round_trip = pair_offset(output.played_s, flasher.captured_s, _ROUND_TRIP_JITTER_S)
    except ConfigError as error:
        raise ConfigError(
            f"{len(output.played_s)} clicks were played on '{output.name}' and {len(flasher.captured_s)} heard by {source.name}, "
            "too few of them the same; turn the loudspeakers up, or lead their sound into the input by a cable."
        ) from error
    return Calibration(
        round_trip=round_trip, drawn_s=float(np.median(flasher.drawn_s)), flashes=len(flasher.captured_s)
    )


class _Flasher:
    """Turns heard clicks into flashes."""

    def __init__(self, source: Source, window: WindowSink, clock: Clock) -> None:
        self._source, self._window, self._clock = source, window, clock
        self._ear = ClickDetector(source.rate_hz)
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

    def look(self) -> None:
        """Take what sound there is, draw what follows from it, and wait a little where there is none."""
        came = self._source.read()
        if came is None or not len(came[0]):
            self._source.wait(_WAIT_S)
        else:
            sound_TC, captured_s = came
            behind = self._ear.hear(mix_down(sound_TC))
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
