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

from engine.clock import Clock
from engine.control_box import ControlsBox
from engine.display import Display
from engine.ears import Ears
from engine.errors import SinkError
from engine.frame import ShowFormat
from engine.hearing import Hearing
from engine.notices import Notices
from engine.performance import Direction, Performance, Player
from engine.show.auto_gain import AutoGain
from engine.show.modulator import Modulator
from engine.sinks.sink import Presenter, Sink
from engine.sources.source import Source
from engine.stats import Stats


def play(
    source: Source,
    session: Player,
    sinks: Sequence[Sink],
    *,
    controls_box: ControlsBox,
    clock: Clock,
    stats: Stats,
    stop: threading.Event,
    presenter: Presenter | None = None,
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
    hearing = Hearing(session.card, source.rate_hz, source.channels)
    stats.resampler_delay_s = hearing.resampler_delay_s
    ears = Ears(source, hearing, clock, stats, notices)
    controls_box.stamp(lambda: ears.heard_samples)
    direction = direction or undirected(controls_box)
    auto_gain = AutoGain(hearing.rate_hz, session.card.hop_samples)
    performance = Performance(
        session, ears, source.live, list(sinks), controls_box, direction, clock, stats, notices, auto_gain
    )
    with ExitStack() as closing:
        closing.callback(source.close)
        closing.callback(ears.close)
        for output in [*sinks, *([presenter] if presenter else [])]:
            closing.callback(_close, output, stats)
            output.open(show_format(source, session))
        source.start()
        if presenter and source.live:
            display = Display(presenter, ears, controls_box, direction.display_modulator, clock, stats)
            ears.start()
            _play_beside(performance, display, presenter, stop, seconds)
        else:
            performance.play(
                stop, seconds, presenter.show if presenter else None, presenter.poll if presenter else None
            )


def undirected(controls_box: ControlsBox) -> Direction:
    """Return a direction by the knobs alone."""
    parameters = tuple(controls_box.parameters.values())
    return Direction(modulator=Modulator(parameters), display_modulator=Modulator(parameters))


def show_format(source: Source, session: Player) -> ShowFormat:
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


def _close(output: Sink, stats: Stats) -> None:
    output.close()
    stats.lost_frames[output.name] = stats.lost_frames.get(output.name, 0) + output.lost_frames


def _play_beside(
    performance: Performance, display: Display, presenter: Presenter, stop: threading.Event, seconds: float | None
) -> None:
    """Run the performance in its own thread and the display in this one, until either ends."""
    with ThreadPoolExecutor(1, thread_name_prefix="step") as executor:
        future = executor.submit(performance.play, stop, seconds, display.newest.put, None)
        try:
            _display(performance, display, presenter, future)
        finally:
            stop.set()
            performance.stats.lost_frames[presenter.name] = display.newest.replaced_frames
    future.result()


def _display(performance: Performance, display: Display, presenter: Presenter, future: Future[None]) -> None:
    """Draw until the performance ends; without a presenter that failed, go on while there are sinks."""
    try:
        display.run(future.done)
    except SinkError as error:
        if all(getattr(sink, "standby", False) for sink in performance.sinks):
            raise
        performance.notices.tell(f"{error} The show goes on without {presenter.name}.")
        presenter.close()
        future.result()
