"""Delivers each hop's frame: as the model made it to the present loops, with effects to the sinks that want them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.output.frame import Frame
from engine.output.sink import Sink
from engine.render.file_delivery import FileDelivery
from engine.render.film_delivery import FilmDelivery
from engine.render.present_loop import LatestFrame
from engine.render.runtime import Runtime
from engine.render.sink_group import SinkGroup

SETTLED_S = 3.0
"""Seconds of sound after which skipped frames are told."""


class FrameDelivery:
    """Belongs to the step loop. Live, frames for files are finished beside it; offline it waits for every sink."""

    def __init__(
        self,
        sinks: Iterable[Sink],
        latest_frames: Sequence[LatestFrame],
        runtime: Runtime,
        film: FilmDelivery | None = None,
    ) -> None:
        """`latest_frames` are where the present loops look; they apply effects themselves. `film` serves files with a rate of their own."""
        given = list(sinks)
        files = [sink for sink in given if sink.rate == "file"] if runtime.live else []
        # Live, these have present loops. Early frames are for them alone, and must not touch the effects of films.
        displays = [] if runtime.live else [sink for sink in given if sink.rate == "display"]
        self._displays = SinkGroup(displays, runtime)
        self._group = SinkGroup([sink for sink in given if sink not in (*files, *displays)], runtime)
        self._files = FileDelivery(SinkGroup(files, runtime), runtime) if files else None
        self._film = film
        self._latest_frames = latest_frames
        self._runtime = runtime

    @property
    def is_seen(self) -> bool:
        """Whether a sink would notice the end of the show: one that is not on standby."""
        groups = [self._group, self._displays, *(each.group for each in (self._files, self._film) if each)]
        return any(group.is_seen for group in groups)

    def start(self) -> None:
        """Begin; the sinks are open."""
        if self._files:
            self._files.start()

    def close(self) -> None:
        """Hand over all that waits; safe to call twice. Raises as `deliver`."""
        if self._film:
            self._film.finish()
        if self._files:
            self._files.close()

    def deliver_early(self, frame: Frame) -> None:
        """Hand a frame between two hops to what shows frames, and to no film: films have a frame a hop."""
        for latest_frame in self._latest_frames:
            latest_frame.put(frame)
        self._displays.give(frame)
        self._runtime.statistics.early_steps += 1

    def deliver(self, frame: Frame) -> None:
        """Hand the frame over and note how long that took. Raises SinkError offline; live, a failing sink is dropped."""
        runtime, started_s = self._runtime, self._runtime.clock.now_s()
        for latest_frame in self._latest_frames:
            latest_frame.put(frame)
        if self._files:
            self._files.put(frame)
        if self._film:
            self._film.give(frame)
        self._group.give(frame)
        self._displays.give(frame)
        now_s = runtime.clock.now_s()
        age_s = None if frame.captured_s is None else started_s - frame.captured_s
        runtime.statistics.sync.add(frame)
        runtime.statistics.add_frame(frame.skipped_hops, age_s, {**frame.timings_s, "finish": now_s - started_s})
        # At the start everything is loaded for the first time, and a few frames less call for nothing.
        if frame.skipped_hops and runtime.live and frame.time_s >= SETTLED_S:
            runtime.notices.tell_sparsely("overload", self._overload, now_s, frame.skipped_hops)

    def _overload(self) -> str:
        line = "The machine is too slow to compute every frame; frames skipped since the last such line: {count}."
        return line + self._runtime.of_other_programs()
