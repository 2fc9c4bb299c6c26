"""Plays a show. Live and offline differ only in the source.

    source ──sound──> AudioCapture ──sound window, audio features──> StepLoop ──frames──> sinks, and the latest to PresentLoop

Live with a window, the capture and the step loop have threads of their own and the window keeps the calling one, as window
systems demand. Otherwise everything happens in the calling thread.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack

from engine.core.errors import SinkError
from engine.core.stop_signals import StopFlag
from engine.output.sink import Sink
from engine.render.present_loop import PresentLoop
from engine.render.show import Show
from engine.render.statistics import ShowStatistics

SIGNALS_EVERY_S = 0.5


def play(show: Show, stop: StopFlag, seconds: float | None = None) -> None:
    """Play until the sound ends, `seconds` of it have been played, `stop` is set or a window is closed.

    Opens the source and the outputs and closes them in any case. Raises SourceError, SinkError or BackendError for what cannot
    begin, and offline for what fails on the way; live, a failing step holds the last frame and a failing sink is dropped.
    """
    with ExitStack() as closing:
        closing.callback(show.source.close)
        closing.callback(show.capture.close)
        for output in show.outputs:
            closing.callback(_close, output, show.runtime.statistics)
            output.open(show.format)
        # Before the outputs are closed, the frames that wait for them are handed over.
        closing.callback(show.step_loop.delivery.close)
        show.step_loop.delivery.start()
        show.source.start()
        if show.present_loops:
            show.capture.start()
            _play_in_threads(show, stop, seconds)
        else:
            show.step_loop.run(stop, seconds, lambda: all([window.poll() for window in show.windows]))


def _close(output: Sink, statistics: ShowStatistics) -> None:
    output.close()
    statistics.lost_frames[output.name] = statistics.lost_frames.get(output.name, 0) + output.lost_frames


def _play_in_threads(show: Show, stop: StopFlag, seconds: float | None) -> None:
    """Run the step loop and each present loop but that of the windows in threads, that of the windows here."""
    in_windows = [loop for loop in show.present_loops if loop.windows]
    others = [loop for loop in show.present_loops if not loop.windows]
    with ThreadPoolExecutor(1 + len(others), thread_name_prefix="step") as executor:
        stepping = executor.submit(show.step_loop.run, stop, seconds)
        presenting = [executor.submit(_present, show, loop, stepping) for loop in others]
        try:
            for loop in in_windows:
                _present(show, loop, stepping)
            if not in_windows:
                _wait_for_end(stepping)
        finally:
            # A show that has come to its end was not stopped.
            if not stepping.done():
                stop.set()
            for loop in show.present_loops:
                _count_replaced(loop, show.runtime.statistics)
    for future in (stepping, *presenting):
        future.result()


def _present(show: Show, loop: PresentLoop, stepping: Future[None]) -> None:
    """Draw until the step loop ends; where an output fails, the show goes on as long as somebody sees or keeps it."""
    try:
        loop.run(stepping.done)
    except SinkError as error:
        if loop.windows and not show.is_kept_or_seen_without(loop):
            raise
        show.runtime.notices.tell(f"{error} The show goes on without {', '.join(o.name for o in loop.outputs)}.")
        for output in loop.outputs:
            output.close()
        _count_replaced(loop, show.runtime.statistics)
        loop.outputs.clear()
        if loop.windows:
            _wait_for_end(stepping)


def _count_replaced(loop: PresentLoop, statistics: ShowStatistics) -> None:
    """Note how many frames the loop's outputs never showed, because a newer one came first."""
    for output in loop.outputs:
        statistics.lost_frames[output.name] = loop.latest_frame.replaced_frames


def _wait_for_end(stepping: Future[None]) -> None:
    """Wait for the end of the step loop, whatever it is. On Windows, signals are handled only between two waits."""
    while not stepping.done():
        wait((stepping,), SIGNALS_EVERY_S)
