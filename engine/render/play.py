"""The one loop: sound from a source, pictures from a session, frames to the sinks. Live and offline differ only in the source.

    source ──sound──> Ears ──window, pulse──> Session ──picture──> Frame ──> sinks, and the newest to the display

Live with a presenter, the ears and the loop have threads of their own and the presenter keeps the calling one, as window systems
demand; otherwise everything happens in the calling thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

from engine.audio.auto_gain import AutoGain
from engine.audio.capture import AudioCapture
from engine.audio.sources.source import Source
from engine.audio.window_buffer import WindowBuffer
from engine.control.modulation.modulator import Modulator
from engine.control.parameter_store import ControlSource
from engine.core.clock import Clock
from engine.core.errors import SinkError
from engine.core.notices import Notices
from engine.output.frame import ShowFormat
from engine.output.sink import Sink, WindowSink
from engine.render.present_loop import PresentLoop
from engine.render.statistics import ShowStatistics
from engine.render.step_loop import Direction, FrameModel, StepLoop


def play(
    source: Source,
    session: FrameModel,
    sinks: Sequence[Sink],
    *,
    store: ControlSource,
    clock: Clock,
    stats: ShowStatistics,
    stop: threading.Event,
    window: WindowSink | None = None,
    seconds: float | None = None,
    notify: Callable[[str], None] = print,
    direction: Direction | None = None,
) -> None:
    """Play until the sound is over, `seconds` of it have been played, `stop` is set or the presenter is closed.

    Every hop is stepped offline; live, overload skips to the newest. Opens the source, the sinks and the presenter, and closes
    them in any case; without a `direction` the knobs alone direct it. Raises SourceError, SinkError or BackendError for what
    cannot begin, and offline for what fails on the way; live, a failing step holds the last picture, a failing sink is dropped,
    and `notify` is told.
    """
    notices = Notices(notify)
    window_buffer = WindowBuffer(session.card, source.rate_hz, source.channels)
    stats.resampler_delay_s = window_buffer.resampler_delay_s
    capture = AudioCapture(source, window_buffer, clock, notices)
    store.stamp(lambda: capture.received_samples)
    direction = direction or undirected(store)
    auto_gain = AutoGain(window_buffer.rate_hz, session.card.hop_samples)
    step_loop = StepLoop(session, capture, source.live, list(sinks), store, direction, clock, stats, notices, auto_gain)
    with ExitStack() as closing:
        closing.callback(source.close)
        closing.callback(capture.close)
        for output in [*sinks, *([window] if window else [])]:
            closing.callback(_close, output, stats)
            output.open(show_format(source, session))
        source.start()
        if window and source.live:
            display = PresentLoop(window, capture, store, direction.display_modulator, clock, stats)
            capture.start()
            _play_beside(step_loop, display, window, stop, seconds)
        else:
            step_loop.play(stop, seconds, window.show if window else None, window.poll if window else None)


def undirected(store: ControlSource) -> Direction:
    """Return a direction by the knobs alone."""
    parameters = tuple(store.parameters.values())
    return Direction(modulator=Modulator(parameters), display_modulator=Modulator(parameters))


def show_format(source: Source, session: FrameModel) -> ShowFormat:
    """Return what every sink has to know before the first frame."""
    return ShowFormat(
        title=source.name,
        width=session.card.width,
        height=session.card.height,
        fps=session.card.fps,
        sound_rate_hz=source.rate_hz,
        sound_channels=source.channels,
        live=source.live,
    )


def _close(output: Sink, stats: ShowStatistics) -> None:
    output.close()
    stats.lost_frames[output.name] = stats.lost_frames.get(output.name, 0) + output.lost_frames


def _play_beside(
    step_loop: StepLoop, display: PresentLoop, window: WindowSink, stop: threading.Event, seconds: float | None
) -> None:
    """Run the performance in its own thread and the display in this one, until either ends."""
    with ThreadPoolExecutor(1, thread_name_prefix="step") as executor:
        future = executor.submit(step_loop.play, stop, seconds, display.newest.put, None)
        try:
            _display(step_loop, display, window, future)
        finally:
            stop.set()
            step_loop.stats.lost_frames[window.name] = display.newest.replaced_frames
    future.result()


def _display(step_loop: StepLoop, display: PresentLoop, window: WindowSink, future: Future[None]) -> None:
    """Draw until the performance ends; without a presenter that failed, go on while there are sinks."""
    try:
        display.run(future.done)
    except SinkError as error:
        if all(sink.standby for sink in step_loop.sinks):
            raise
        step_loop.notices.tell(f"{error} The show goes on without {window.name}.")
        window.close()
        future.result()
