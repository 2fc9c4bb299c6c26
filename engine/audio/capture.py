"""Sound on its way from the source into what is known of it: the windows of hops, and the pulse.

With a presenter beside a live show this has a thread of its own, so that a hit is known within a block, however long a step
takes; otherwise whoever wants the next hop listens. What is heard depends on the sound alone, never on who listened when.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.audio.features.analyser import FeatureAnalyser
from engine.audio.features.audio_features import AudioFeatures, ahead
from engine.audio.sources.source import Source
from engine.audio.window_buffer import WindowBuffer
from engine.core.clock import Clock
from engine.core.notices import Notices

# T audio samples, C channels

WAIT_S = 0.1
"""Longest wait before a listener looks up."""


def _nobody() -> None:
    """Nobody waits for hits."""


class AudioCapture:
    """One source, heard for one show."""

    def __init__(self, source: Source, window_buffer: WindowBuffer, clock: Clock, notices: Notices) -> None:
        self._source = source
        self._window_buffer = window_buffer
        self._meter = FeatureAnalyser(window_buffer.rate_hz)
        self._clock = clock
        self._notices = notices
        self._heard = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._over = False
        self._failure: Exception | None = None
        self._resample_s = 0.0
        self.on_onset: Callable[[], None] = _nobody
        """Called by the listening thread as soon as a hit is known."""

    @property
    def meter(self) -> FeatureAnalyser:
        return self._meter

    @property
    def over(self) -> bool:
        """Whether the sound has ended and all of it was heard."""
        return self._over

    @property
    def received_samples(self) -> int:
        """Samples heard since the start, at the model's rate."""
        return self._window_buffer.received_samples

    @property
    def dropped_samples(self) -> int:
        """Samples the source lost because nobody took them in time."""
        return self._source.dropped_samples

    def start(self) -> None:
        """Listen in a thread of its own from now on."""
        self._thread = threading.Thread(target=self._run, name="ears", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening; safe to call twice, and without `start`."""
        self._stop.set()
        if self._thread:
            self._thread.join()

    def wait(self, received_samples: int) -> None:
        """Return once more than `heard_samples` may have been heard, the sound is over, or after WAIT_S.

        Raises what the source raised.
        """
        if self._thread is None:
            self._listen()
            return
        with self._heard:
            if self._window_buffer.received_samples <= received_samples and not self._over:
                self._heard.wait(WAIT_S)
        self.check()

    def check(self) -> None:
        """Raise what the source raised, if that is why the sound is over."""
        if self._failure:
            raise self._failure

    def window(self, index: int) -> NDArray[np.float32]:
        """Return the window of hop `index`; see Hearing."""
        with self._heard:
            return self._window_buffer.window(index)

    def take_sound(self, index: int) -> NDArray[np.float32]:
        """Take the source's sound up to the end of hop `index` [T, C]; see Hearing."""
        with self._heard:
            return self._window_buffer.take_sound(index)

    def captured_s(self, index: int) -> float | None:
        """Return when the newest sample of hop `index` was captured; None offline."""
        with self._heard:
            return self._window_buffer.captured_s(index)

    def features_now(self, now_s: float, look_ahead_s: float) -> AudioFeatures:
        """Return the pulse of this moment, its beat as it will be `look_ahead_s` from now: hits cannot be known beforehand."""
        audio_features = self._meter.newest()
        captured_s = self._window_buffer.newest_captured_s
        waited_s = 0.0 if captured_s is None else max(0.0, now_s - captured_s)
        now = ahead(audio_features, min(waited_s, WAIT_S))
        return replace(now, beats=ahead(now, look_ahead_s).beats)

    def take_resample_s(self) -> float:
        """Take the time spent hearing since the last call, as far as the caller had to wait for it."""
        spent_s, self._resample_s = self._resample_s, 0.0
        return spent_s

    def _run(self) -> None:
        try:
            while not self._stop.is_set() and not self._over:
                self._listen()
        except Exception as error:  # noqa: BLE001 - whatever it is, the step thread raises it
            self._failure = error
            self._end()

    def _listen(self) -> None:
        """Take what sound there is, waiting for some if there is none."""
        came = self._source.read()
        for notice in self._source.notices():
            self._notices.tell(notice)
        if came is None:
            with self._heard:
                self._meter.hear(self._window_buffer.finish())
            self._end()
        elif len(came[0]):
            started_s = self._clock.now_s()
            hits = self._meter.newest().onsets
            with self._heard:
                self._meter.hear(self._window_buffer.hear(*came))
                self._heard.notify_all()
            if self._meter.newest().onsets != hits:
                self.on_onset()
            if self._thread is None:
                self._resample_s += self._clock.now_s() - started_s
        else:
            self._source.wait(WAIT_S)

    def _end(self) -> None:
        with self._heard:
            self._over = True
            self._heard.notify_all()
