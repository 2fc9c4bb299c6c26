"""Finishes frames for files beside the step loop: effects and resizing take longer than a step on a busy machine.

Files get every frame in its order, so the effects are those of a show that finishes each frame at once. Where the machine is too
slow for that, the oldest frame that waits loses its pixels; its sound goes with the next one, as after a hop that was skipped.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from engine.core.bounded_queue import BoundedQueue
from engine.output.frame import Frame
from engine.output.recording.write_queue import MOST_QUEUED_FRAMES, MOST_WAITING_FRAMES
from engine.render.runtime import Runtime
from engine.render.sink_group import SinkGroup

_NO_PIXELS = np.zeros((0, 0, 3), np.uint8)


class FileDelivery:
    """Serves a group of sinks from `start` to `close`, on a thread of its own. `put` belongs to the step loop."""

    def __init__(self, group: SinkGroup, runtime: Runtime) -> None:
        self.group = group
        self._runtime = runtime
        self._queue = BoundedQueue[Frame](
            MOST_WAITING_FRAMES,
            _has_pixels,
            waits=False,
            lighten=lambda frame: replace(frame, pixels_HWC=_NO_PIXELS),
            most_items=MOST_QUEUED_FRAMES,
        )
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="files")
        self._serving: Future[None] | None = None

    def start(self) -> None:
        """Begin; the sinks are open."""
        self._serving = self._executor.submit(self._serve)

    def put(self, frame: Frame) -> None:
        """Take one frame, without waiting. Raises what went wrong in the thread, which is a mistake of ours."""
        if self._serving and self._serving.done():
            self._serving.result()
        self._queue.put(frame)

    def close(self) -> None:
        """Finish the frames that wait; safe to call twice, and without `start`. Raises as `put`."""
        self._queue.close()
        self._executor.shutdown()
        if self._serving:
            self._serving.result()

    def _serve(self) -> None:
        clock, without_pixels = self._runtime.clock, list[Frame]()
        while (frame := self._queue.take()) is not None:
            if not _has_pixels(frame):
                without_pixels.append(frame)
                self._count_lost(frame)
                continue
            started_s = clock.now_s()
            self.group.give(_joined(without_pixels, frame))
            without_pixels.clear()
            self._runtime.statistics.add_timing("files", clock.now_s() - started_s)

    def _count_lost(self, frame: Frame) -> None:
        losing = self.group.wanting(frame)
        for sink in losing:
            self._runtime.statistics.count_lost(sink.name)
        if losing:
            line = "The machine is too slow to finish every frame for the files; frames lost: {count}."
            self._runtime.notices.tell_sparsely("files", line, self._runtime.clock.now_s())


def _has_pixels(frame: Frame) -> int:
    return int(frame.pixels_HWC is not _NO_PIXELS)


def _joined(without_pixels: list[Frame], frame: Frame) -> Frame:
    """Return `frame` with the sound of the frames before it that lost their pixels."""
    if not without_pixels:
        return frame
    all_frames = [*without_pixels, frame]
    return replace(
        frame,
        sound_TC=np.concatenate([each.sound_TC for each in all_frames]),
        first_sample=all_frames[0].first_sample,
        skipped_hops=sum(each.skipped_hops for each in all_frames) + len(without_pixels),
    )
