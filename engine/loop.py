"""The one loop: sound from a source, pictures from a session, frames to the sinks. Live and offline differ only in the source.

    source ──sound──> Hearing ──window──> Session ──picture──> Frame ──> sinks, and the newest to the presenter

Live with a presenter, the loop has a thread of its own and the presenter keeps the calling one, as window systems demand;
otherwise everything happens in the calling thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.clock import Clock
from engine.errors import BackendError, SinkError
from engine.frame import Frame, ShowFormat
from engine.hearing import Hearing
from engine.notices import Notices
from engine.pacing import Pick, is_over, pick_hop
from engine.session import Controls, Picture, Session
from engine.sinks.sink import Presenter, Sink
from engine.sources.source import Source
from engine.stats import Stats

WAIT_S = 0.1
"""Longest sleep before `stop` is looked at again."""
PRESENTER_WAIT_S = 0.005
"""Longest time between two looks at the window system's events."""


class ControlsBox(Protocol):
    """Where remotes leave what they want; see engine/parameters.py."""

    def snapshot(self) -> Controls:
        """Return all parameters as they are now; the mapping never changes afterwards."""
        ...


def play(
    source: Source,
    session: Session,
    sinks: Sequence[Sink],
    *,
    controls_box: ControlsBox,
    clock: Clock,
    stats: Stats,
    stop: threading.Event,
    presenter: Presenter | None = None,
    seconds: float | None = None,
    notify: Callable[[str], None] = print,
) -> None:
    """Play until the sound is over, `seconds` of it have been played, `stop` is set or the presenter is closed.

    Every hop is stepped offline; live, overload skips to the newest. Opens the source, the sinks and the presenter, and closes
    them in any case. Raises SourceError, SinkError or BackendError for what cannot begin, and offline for what fails on the
    way; live, a failing step holds the last picture, a failing sink is dropped, and `notify` is told.
    """
    hearing = Hearing(session.card, source.rate_hz, source.channels)
    stats.resampler_delay_s = hearing.resampler_delay_s
    run = _Run(source, session, list(sinks), hearing, controls_box, clock, stats, stop, seconds, Notices(notify))
    with ExitStack() as closing:
        closing.callback(source.close)
        for output in [*sinks, *([presenter] if presenter else [])]:
            closing.callback(_close, output, stats)
            output.open(_show_format(source, session))
        source.start()
        if presenter and source.live:
            _play_beside(run, presenter)
        else:
            run.play(presenter.show if presenter else None, presenter.poll if presenter else None)


def _show_format(source: Source, session: Session) -> ShowFormat:
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


def _play_beside(run: _Run, presenter: Presenter) -> None:
    """Run the loop in its own thread and the presenter in this one, until either ends."""
    newest = _Newest()
    with ThreadPoolExecutor(1, thread_name_prefix="step") as executor:
        future = executor.submit(run.play, newest.put, None)
        try:
            _present_newest(run, presenter, newest, future)
        finally:
            run.stop.set()
            run.stats.lost_frames[presenter.name] = newest.replaced_frames
    future.result()


def _present_newest(run: _Run, presenter: Presenter, newest: _Newest, future: Future[None]) -> None:
    """Show frames until the loop ends or the presenter is closed; without one that failed, go on while there are sinks."""
    try:
        while not future.done() and presenter.poll():
            frame = newest.take(PRESENTER_WAIT_S)
            if frame is not None:
                presenter.show(frame)
                run.count_shown(frame)
    except SinkError as error:
        if not run.sinks:
            raise
        run.notices.tell(f"{error} The show goes on without {presenter.name}.")
        presenter.close()
        future.result()


class _Newest:
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

    def take(self, timeout_s: float) -> Frame | None:
        with self._came:
            if self._frame is None:
                self._came.wait(timeout_s)
            frame, self._frame = self._frame, None
            return frame


@dataclass(slots=True)
class _Run:
    """One show under way."""

    source: Source
    session: Session
    sinks: list[Sink]
    hearing: Hearing
    controls_box: ControlsBox
    clock: Clock
    stats: Stats
    stop: threading.Event
    seconds: float | None
    notices: Notices
    resample_s: float = 0.0

    def play(self, present: Callable[[Frame], None] | None, poll: Callable[[], bool] | None) -> None:
        """Step hop after hop, each as soon as its sound has arrived."""
        last_index, free_since_s, sound_is_over = -1, self.clock.now_s(), False
        while not self.stop.is_set() and not is_over(last_index + 1, self.session.card.hop_s, self.seconds):
            pick = pick_hop(self.hearing.heard_samples, self.session.card.hop_samples, last_index, self.source.live)
            if pick is None:
                if sound_is_over:
                    break
                sound_is_over = not self._listen()
                continue
            frame = self._step(pick, free_since_s)
            self._hand_on(frame, present)
            last_index, free_since_s = pick.index, self.clock.now_s()
            if poll and not poll():
                break

    def count_shown(self, frame: Frame) -> None:
        """Note the age of a frame that the presenter has just shown."""
        self.stats.add_shown(None if frame.captured_s is None else self.clock.now_s() - frame.captured_s)

    def _listen(self) -> bool:
        """Take what sound there is, waiting for some if there is none; False once it is over."""
        came = self.source.read()
        for notice in self.source.notices():
            self.notices.tell(notice)
        self.stats.dropped_samples = self.source.dropped_samples
        started_s = self.clock.now_s()
        if came is None:
            self.hearing.finish()
        elif len(came[0]):
            self.hearing.hear(*came)
        else:
            self.source.wait(WAIT_S)
            return True
        self.resample_s += self.clock.now_s() - started_s
        return came is not None

    def _step(self, pick: Pick, free_since_s: float) -> Frame:
        window_T = self.hearing.window(pick.index)
        started_s, resample_s, self.resample_s = self.clock.now_s(), self.resample_s, 0.0
        picture = self._picture(window_T, self.controls_box.snapshot(), pick.index)
        return Frame(
            index=pick.index,
            image_HWC=picture.image_HWC,
            features_F=picture.features_F,
            sound_TC=self.hearing.take_sound(pick.index),
            time_s=(pick.index + 1) * self.session.card.hop_s,
            captured_s=self.hearing.captured_s(pick.index),
            skipped_hops=pick.skipped_hops,
            stage_s={
                "wait": started_s - free_since_s - resample_s,
                "resample": resample_s,
                "step": self.clock.now_s() - started_s,
            },
        )

    def _picture(self, window_T: NDArray[np.float32], controls: Controls, index: int) -> Picture:
        try:
            return self.session.step(window_T, controls, index)
        except BackendError as error:
            if not self.source.live:
                raise
            self.stats.failed_steps += 1
            line = f"{error} The last picture is held ({{count}} times so far)."
            self.notices.tell_sparsely("step", line, self.clock.now_s())
            return self.session.held(controls)

    def _hand_on(self, frame: Frame, present: Callable[[Frame], None] | None) -> None:
        """Give the frame to every sink, and note how long all took."""
        given_s = self.clock.now_s()
        for sink in list(self.sinks):
            try:
                sink.show(frame)
            except SinkError as error:
                if not self.source.live:
                    raise
                self.notices.tell(f"{error} The show goes on without {sink.name}.")
                self.sinks.remove(sink)
                sink.close()
        if present:
            present(frame)
        now_s = self.clock.now_s()
        age_s = None if frame.captured_s is None else given_s - frame.captured_s
        self.stats.add_frame(frame.skipped_hops, age_s, {**frame.stage_s, "finish": now_s - given_s})
        if frame.skipped_hops:
            line = "{count} hops of sound were skipped, with their pictures, to keep up."
            self.notices.tell_sparsely("overload", line, now_s, frame.skipped_hops)
