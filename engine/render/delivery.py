"""Delivers each hop's frame: as the model made it to the present loops, with effects to the sinks that want them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from engine.core.errors import SinkError
from engine.output.frame import Frame
from engine.output.sink import Sink
from engine.render.effects.chain import EffectChain
from engine.render.effects.effect_parameters import effect_parameters
from engine.render.present_loop import LatestFrame
from engine.render.runtime import Runtime


class FrameDelivery:
    """Belongs to the step loop. A sink that does not want a frame is not called, and effects that nobody wants are not applied."""

    def __init__(self, sinks: Iterable[Sink], latest_frames: Sequence[LatestFrame], runtime: Runtime) -> None:
        """`latest_frames` are where the present loops look; they apply effects themselves."""
        self.sinks = list(sinks)
        self._latest_frames = latest_frames
        self._runtime = runtime
        self._effect_chain = EffectChain()
        self._effects_idle = False

    @property
    def is_seen(self) -> bool:
        """Whether a sink would notice the end of the show: one that is not on standby."""
        return any(not sink.standby for sink in self.sinks)

    def deliver(self, frame: Frame) -> None:
        """Hand the frame over and note how long that took. Raises SinkError offline; live, a failing sink is dropped."""
        runtime, started_s = self._runtime, self._runtime.clock.now_s()
        for latest_frame in self._latest_frames:
            latest_frame.put(frame)
        wanting = [sink for sink in self.sinks if sink.wants(frame.values)]
        effected = self._with_effects(frame, any(sink.with_effects for sink in wanting))
        for sink in wanting:
            self._give(sink, effected if sink.with_effects else frame)
        now_s = runtime.clock.now_s()
        age_s = None if frame.captured_s is None else started_s - frame.captured_s
        runtime.statistics.add_frame(frame.skipped_hops, age_s, {**frame.timings_s, "finish": now_s - started_s})
        if frame.skipped_hops and runtime.live:
            line = "The machine is too slow for every step; hops skipped: {count}."
            runtime.notices.tell_sparsely("overload", line, now_s, frame.skipped_hops)

    def _with_effects(self, frame: Frame, wanted: bool) -> Frame:
        was_idle, self._effects_idle = self._effects_idle, not wanted
        if not wanted:
            return frame
        if was_idle:
            # Trails and flashes from before the pause do not belong to what begins now.
            self._effect_chain.reset()
        parameters = effect_parameters(frame.values, frame.audio_features)
        return replace(frame, pixels_HWC=self._effect_chain.apply(frame.pixels_HWC, parameters, frame.time_s))

    def _give(self, sink: Sink, frame: Frame) -> None:
        try:
            sink.show(frame)
        except SinkError as error:
            if not self._runtime.live:
                raise
            self._runtime.notices.tell(f"{error} The show goes on without {sink.name}.")
            self.sinks.remove(sink)
            sink.close()
