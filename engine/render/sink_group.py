"""Sinks that share one effect chain, and the thread that serves them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from engine.core.errors import SinkError
from engine.output.film import FilmSink
from engine.output.frame import Frame
from engine.output.sink import Sink, size_of
from engine.render.effects.chain import EffectChain
from engine.render.effects.effect_parameters import effect_parameters
from engine.render.runtime import Runtime


class SinkGroup:
    """A sink that does not want a frame is not called, and effects that nobody wants are not applied."""

    def __init__(self, sinks: Iterable[Sink], runtime: Runtime) -> None:
        self.sinks = list(sinks)
        self._runtime = runtime
        self._effect_chain = EffectChain()
        self._effects_idle = False

    @property
    def is_seen(self) -> bool:
        """Whether a sink would notice the end of the show: one that is not on standby."""
        return any(not sink.standby for sink in self.sinks)

    def wanting(self, frame: Frame) -> list[Sink]:
        """Return the sinks that want a frame."""
        return [sink for sink in self.sinks if sink.wants(frame.values)]

    def give(self, frame: Frame) -> None:
        """Give a frame to the sinks that want it. Raises SinkError offline; live, a failing sink is dropped."""
        wanting = self.wanting(frame)
        effected = self._with_effects(frame, [sink for sink in wanting if sink.with_effects])
        for sink in wanting:
            self._give(sink, effected if sink.with_effects else frame)

    def _with_effects(self, frame: Frame, wanting: Sequence[Sink]) -> Frame:
        was_idle, self._effects_idle = self._effects_idle, not wanting
        if not wanting:
            return frame
        if was_idle:
            # Trails and flashes from before the pause do not belong to what begins now.
            self._effect_chain.reset()
        parameters = effect_parameters(frame.values, frame.audio_features, size_of(wanting))
        is_filled = next((film.is_filled for film in wanting if isinstance(film, FilmSink)), None)
        if is_filled is not None:
            # What a take says of `fill` was meant for the window of its show.
            parameters = replace(parameters, fill=is_filled)
        shown_HWC = self._effect_chain.apply(frame.pixels_HWC, parameters, frame.time_s)
        return frame.with_pixels(shown_HWC, self._effect_chain.on_backdrop)

    def _give(self, sink: Sink, frame: Frame) -> None:
        try:
            sink.show(frame)
        except SinkError as error:
            if not self._runtime.live:
                raise
            self._runtime.notices.tell(f"{error} The show goes on without {sink.name}.")
            self.sinks.remove(sink)
            sink.close()
