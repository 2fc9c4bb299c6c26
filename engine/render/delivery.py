"""Delivers each hop's frame: as the model made it to the present loops, with effects to the sinks that want them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.output.frame import Frame
from engine.output.sink import Sink
from engine.render.file_delivery import FileDelivery
from engine.render.present_loop import LatestFrame
from engine.render.runtime import Runtime
from engine.render.sink_group import SinkGroup


class FrameDelivery:
    """Belongs to the step loop. Live, frames for files are finished beside it; offline it waits for every sink."""

    def __init__(self, sinks: Iterable[Sink], latest_frames: Sequence[LatestFrame], runtime: Runtime) -> None:
        """`latest_frames` are where the present loops look; they apply effects themselves."""
        given = list(sinks)
        files = [sink for sink in given if sink.rate == "file"] if runtime.live else []
        # Live, these have present loops. Early frames are for them alone, and must not touch the effects of films.
        displays = [] if runtime.live else [sink for sink in given if sink.rate == "display"]
        self._displays = SinkGroup(displays, runtime)
        self._group = SinkGroup([sink for sink in given if sink not in (*files, *displays)], runtime)
        self._files = FileDelivery(SinkGroup(files, runtime), runtime) if files else None
        self._latest_frames = latest_frames
        self._runtime = runtime

    @property
    def is_seen(self) -> bool:
        """Whether a sink would notice the end of the show: one that is not on standby."""
        return self._group.is_seen or self._displays.is_seen or (self._files is not None and self._files.group.is_seen)

    def start(self) -> None:
        """Begin; the sinks are open."""
        if self._files:
            self._files.start()

    def close(self) -> None:
        """Hand over all that waits; safe to call twice."""
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
        self._group.give(frame)
        self._displays.give(frame)
        now_s = runtime.clock.now_s()
        age_s = None if frame.captured_s is None else started_s - frame.captured_s
        runtime.statistics.add_frame(frame.skipped_hops, age_s, {**frame.timings_s, "finish": now_s - started_s})
        if frame.skipped_hops and runtime.live:
            line = "The machine is too slow for every step; hops skipped: {count}."
            runtime.notices.tell_sparsely("overload", line, now_s, frame.skipped_hops)
