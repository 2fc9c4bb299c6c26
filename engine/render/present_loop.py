"""The present loop: the latest frame at the rate of the display, under the effects of this very moment.

The model's frame comes once a hop. An onset in the sound and a changed parameter are drawn at once, between two refreshes of this
loop: a window that waits for its monitor shows them at the monitor's next refresh, any other one now.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from engine.audio.capture import AudioCapture
from engine.control.modulation.modulator import Modulator
from engine.control.parameter import Value
from engine.control.parameter_store import ControlSource
from engine.control.parameter_table import ShowValues
from engine.core.errors import SinkError
from engine.output.frame import Frame
from engine.output.sink import Sink, WindowSink, size_of
from engine.render.effects.chain import EffectChain
from engine.render.effects.effect_parameters import EffectParameters, effect_parameters
from engine.render.late_onsets import LateOnsets
from engine.render.runtime import Runtime
from engine.render.window_load import WindowLoad

WAIT_S = 0.004
"""Longest wait before the window system's events, and effects that move by themselves, are looked at again."""
LEAST_STRENGTH = 0.2
"""An onset is weak where it begins, and is drawn when it can be seen: a drawing for nothing would only delay the one that counts."""
DEFAULT_REFRESH_HZ = 60.0
"""Where no monitor says."""


class LatestFrame:
    """Room for one frame; a newer one takes its place."""

    def __init__(self) -> None:
        self.replaced_frames = 0
        self._frame: Frame | None = None
        self._is_woken = False
        self._came = threading.Condition()

    def put(self, frame: Frame) -> None:
        with self._came:
            self.replaced_frames += self._frame is not None
            self._frame = frame
            self._came.notify()

    def wake(self) -> None:
        """End a wait early, this one or the next, though no frame has come."""
        with self._came:
            self._is_woken = True
            self._came.notify()

    def take(self, timeout_s: float) -> Frame | None:
        with self._came:
            if self._frame is None and not self._is_woken:
                self._came.wait(timeout_s)
            self._is_woken = False
            frame, self._frame = self._frame, None
            return frame


class PresentLoop:
    """Draws to one or more outputs in the thread that calls `run`. Windows belong to the main thread."""

    def __init__(
        self,
        capture: AudioCapture,
        store: ControlSource,
        modulator: Modulator,
        runtime: Runtime,
        windows: Sequence[WindowSink] = (),
        sinks: Sequence[Sink] = (),
    ) -> None:
        """`modulator` is this loop's own, since it draws at its own moments; `sinks` want frames at the display's rate."""
        self.latest_frame = LatestFrame()
        capture.subscribe_onsets(self.latest_frame.wake)
        store.watch(self.latest_frame.wake)
        self.windows = list(windows)
        self.outputs: list[Sink] = [*windows, *sinks]
        self._capture = capture
        self._store = store
        self._modulator = modulator
        self._runtime = runtime
        self._effect_chain = EffectChain()
        self._window_load = WindowLoad(self.windows, runtime)
        self._late_onsets = LateOnsets()
        self._frame: Frame | None = None
        self._drawn: EffectParameters | None = None
        self._drawn_s = self._looked_s = self._followed_s = 0.0
        self._came_s = self._expected_s = 0.0
        """When the last frame of a hop came, and when the next one is expected."""
        self._seen_onset = (0, 0.0)
        self._seen_values: Mapping[str, Value] | None = None

    @property
    def refresh_hz(self) -> float:
        """The highest rate of the monitors that the windows are on."""
        return max((hz for window in self.windows if (hz := window.refresh_hz)), default=DEFAULT_REFRESH_HZ)

    @property
    def is_seen(self) -> bool:
        """Whether an output would notice the end of the show."""
        return any(not output.standby for output in self.outputs)

    def run(self, over: Callable[[], bool]) -> None:
        """Draw until `over` or until a window is closed. Raises SinkError when an output fails for good."""
        while not over() and all([window.poll() for window in self.windows]):
            frame = self.latest_frame.take(min(WAIT_S, self._due_in_s()))
            if frame is not None:
                self._expect_after(frame)
                self._draw(*self._now(frame))
                if self.windows:
                    age_s = None if frame.captured_s is None else self._runtime.clock.now_s() - frame.captured_s
                    self._runtime.statistics.add_shown(age_s)
                self._frame = frame
            elif self._frame is not None and self._due_in_s() <= 0.0:
                self._refresh(self._frame)

    def _due_in_s(self) -> float:
        """Return in how many seconds the same frame is looked at again: at once after an event, else a refresh after the last drawing.

        A fader that moves faster than the display refreshes costs one drawing a refresh beside the others.
        """
        if self._frame is None:
            return WAIT_S
        now_s, refresh_s = self._runtime.clock.now_s(), 1.0 / self.refresh_hz
        newest_onset = self._capture.newest_onset
        if newest_onset != self._seen_onset and newest_onset[1] >= LEAST_STRENGTH:
            return 0.0
        is_changed = self._store.values() is not self._seen_values
        if self._window_load.is_eased:
            return max(0.0, self._followed_s + refresh_s - now_s) if is_changed else WAIT_S
        due_s = max(self._drawn_s + refresh_s, self._looked_s + WAIT_S)
        if abs(due_s - self._expected_s) < refresh_s / 2:
            # The next frame is drawn anyway, and would have to wait for this drawing.
            due_s = self._expected_s + refresh_s / 2
        if is_changed:
            due_s = min(due_s, self._followed_s + refresh_s)
        return max(0.0, due_s - now_s)

    def _expect_after(self, frame: Frame) -> None:
        """Note when the frame after this one is expected."""
        if not frame.is_early:
            now_s = self._runtime.clock.now_s()
            self._expected_s, self._came_s = 2.0 * now_s - self._came_s if self._came_s else 0.0, now_s

    def _refresh(self, frame: Frame) -> None:
        """Draw the same frame again if it would look different now."""
        if self._store.values() is not self._seen_values:
            self._followed_s = self._runtime.clock.now_s()
        parameters, frame = self._now(frame)
        if parameters != self._drawn or parameters.moves_by_itself:
            self._draw(parameters, frame)

    def _draw(self, parameters: EffectParameters, frame: Frame) -> None:
        now_s = self._runtime.clock.now_s()
        wanting = [output for output in self.outputs if output.wants(frame.values)]
        if any(output.with_effects for output in wanting):
            shown_HWC = self._effect_chain.apply(frame.pixels_HWC, parameters, now_s)
            effected = frame.with_pixels(shown_HWC, self._effect_chain.on_backdrop)
        else:
            effected = frame
        for output in wanting:
            self._show(output, effected if output.with_effects else frame)
        if self.windows:
            self._runtime.statistics.count_drawn(self._effect_chain.meter)
            self._window_load.drew(now_s, self._runtime.clock.now_s())
        self._drawn, self._drawn_s = parameters, now_s

    def _show(self, output: Sink, frame: Frame) -> None:
        """Raises SinkError when the last output fails; another one is dropped."""
        try:
            output.show(frame)
        except SinkError as error:
            if len(self.outputs) == 1:
                raise
            self._runtime.notices.tell(f"{error} The show goes on without {output.name}.")
            self.outputs.remove(output)
            self.windows = [window for window in self.windows if window is not output]
            output.close()

    def _now(self, frame: Frame) -> tuple[EffectParameters, Frame]:
        """Return the effects of this moment, and the frame with the values and audio features of this moment."""
        self._seen_onset = self._capture.newest_onset
        now_s, given = self._runtime.clock.now_s(), self._store.values()
        self._looked_s, self._seen_values = now_s, given
        look_ahead_s = 1e-3 * ShowValues(given).look_ahead_ms
        audio_features = self._late_onsets.begun(self._capture.features_now(now_s, look_ahead_s))
        # The media time, as recordings have it, goes on between two frames.
        age_s = 0.0 if frame.captured_s is None else max(0.0, now_s - frame.captured_s)
        values = self._modulator.values(given, audio_features, frame.features_F, frame.time_s + age_s)
        return effect_parameters(values, audio_features, size_of(self.outputs)), replace(
            frame, values=values, audio_features=audio_features
        )
