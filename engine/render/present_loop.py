"""The picture at the rate of the display: the newest frame under the effects of this very moment.

The network's picture comes once a hop; hits in the sound are on the wall at the display's next refresh.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from engine.audio.capture import AudioCapture
from engine.control.modulation.modulator import Modulator
from engine.control.parameter_store import ControlSource
from engine.control.parameter_table import ShowValues
from engine.core.clock import Clock
from engine.output.frame import Frame
from engine.output.sink import WindowSink
from engine.render.effects.chain import EffectChain
from engine.render.effects.effect_parameters import EffectParameters, look
from engine.render.statistics import ShowStatistics

LOOK_EVERY_S = 0.004
"""Longest time between two looks at the window system's events and at the pulse."""
REFRESH_S = 1 / 60
"""Time between two drawings of one frame while its effects move."""


class LatestFrame:
    """Room for one frame; a newer one takes its place."""

    def __init__(self) -> None:
        self.replaced_frames = 0
        self._frame: Frame | None = None
        self._came = threading.Condition()

    def put(self, frame: Frame) -> None:
        with self._came:
            self.replaced_frames += self._frame is not None
            self._frame = frame
            self._came.notify()

    def wake(self) -> None:
        """Let who waits look up, though no frame has come."""
        with self._came:
            self._came.notify()

    def take(self, timeout_s: float) -> Frame | None:
        with self._came:
            if self._frame is None:
                self._came.wait(timeout_s)
            frame, self._frame = self._frame, None
            return frame


class PresentLoop:
    """Draws with one presenter, in the thread that owns it."""

    def __init__(
        self,
        window: WindowSink,
        capture: AudioCapture,
        store: ControlSource,
        modulator: Modulator,
        clock: Clock,
        stats: ShowStatistics,
    ) -> None:
        self.newest = LatestFrame()
        capture.on_onset = self.newest.wake
        self._window = window
        self._capture = capture
        self._store = store
        self._modulator = modulator
        self._effect_chain = EffectChain()
        self._clock = clock
        self._stats = stats
        self._frame: Frame | None = None
        self._drawn: EffectParameters | None = None
        self._drawn_s = 0.0
        self._drawn_hits = 0

    def run(self, over: Callable[[], bool]) -> None:
        """Draw until `over` or until the presenter is closed. Raises SinkError when it fails for good."""
        while not over() and self._window.poll():
            frame = self.newest.take(LOOK_EVERY_S)
            if frame is not None:
                self._draw(*self._look(frame))
                self._stats.add_shown(None if frame.captured_s is None else self._clock.now_s() - frame.captured_s)
                self._frame = frame
            elif self._frame is not None and self._is_due():
                self._refresh(self._frame)

    def _is_due(self) -> bool:
        """A new hit is drawn at once, whatever else moves at the display's rate."""
        return (
            self._capture.meter.newest().onsets != self._drawn_hits or self._clock.now_s() - self._drawn_s >= REFRESH_S
        )

    def _refresh(self, frame: Frame) -> None:
        """Draw the same frame again if it would look otherwise now."""
        self._drawn_hits = self._capture.meter.newest().onsets
        look_now, looked = self._look(frame)
        if look_now != self._drawn or look_now.trail > 0.0:
            self._draw(look_now, looked)

    def _draw(self, look_now: EffectParameters, frame: Frame) -> None:
        now_s = self._clock.now_s()
        pixels_HWC = self._effect_chain.finish(frame.pixels_HWC, look_now, now_s)
        self._window.show(replace(frame, pixels_HWC=pixels_HWC))
        self._stats.count_drawn(self._effect_chain.meter)
        self._drawn, self._drawn_s = look_now, now_s

    def _look(self, frame: Frame) -> tuple[EffectParameters, Frame]:
        """Return how the frame looks now, and the frame with the values and the pulse of now."""
        now_s, given = self._clock.now_s(), self._store.values()
        look_ahead_s = 1e-3 * ShowValues(given).look_ahead_ms
        audio_features = self._capture.features_now(now_s, look_ahead_s)
        # The time of the media, as recordings have it, goes on between two frames.
        age_s = 0.0 if frame.captured_s is None else max(0.0, now_s - frame.captured_s)
        values = self._modulator.values(given, audio_features, frame.features_F, frame.time_s + age_s)
        return look(values, audio_features), replace(frame, values=values, audio_features=audio_features)
