"""Audio capture: from a source to the windows of hops and to the audio features.

In a live show with a window a thread of its own reads the source, so an onset is known within a block, however long a step takes.
Otherwise whoever waits for the next hop reads it. The sound is trimmed (engine/audio/trimmed_sound.py) before the model's windows and
the features see it. The result depends on the sound and on the hops that were stepped, never on which thread read it when.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.audio.band_trim import BandGains
from engine.audio.features.analyser import FeatureAnalyser
from engine.audio.features.audio_features import AudioFeatures, extrapolate
from engine.audio.input_features import InputFeatures
from engine.audio.input_layout import UNNAMED, InputLayout
from engine.audio.source import Source
from engine.audio.trimmed_sound import TrimmedSound
from engine.audio.window_buffer import WindowBuffer
from engine.core.clock import Clock
from engine.core.notices import Notices

# T audio samples, C channels

WAIT_S = 0.1
"""Longest single wait for sound."""


class Picked(Protocol):
    """A hop that was chosen to be stepped."""

    @property
    def index(self) -> int: ...


P = TypeVar("P", bound=Picked)


class AudioCapture:
    """Reads one source for one show."""

    def __init__(
        self,
        source: Source,
        window_buffer: WindowBuffer,
        clock: Clock,
        notices: Notices,
        layout: InputLayout = UNNAMED,
    ) -> None:
        self._source = source
        self._window_buffer = window_buffer
        self._trimmed = TrimmedSound(window_buffer)
        self._analyser = FeatureAnalyser(window_buffer.rate_hz)
        self._input_features = InputFeatures(layout, source.rate_hz, window_buffer.rate_hz)
        self._clock = clock
        self._notices = notices
        self._received = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        self._has_ended = False
        self._failure: Exception | None = None
        self._resample_s = 0.0
        self._onset_subscribers: list[Callable[[], None]] = []

    def subscribe_onsets(self, callback: Callable[[], None]) -> None:
        """Let the capture thread call `callback` as soon as `newest_onset` changes. Before `start` only."""
        self._onset_subscribers.append(callback)

    @property
    def analyser(self) -> FeatureAnalyser:
        """The analyser of the sound that the model gets."""
        return self._analyser

    @property
    def onsets(self) -> int:
        """Onsets since the beginning, of that sound and of all inputs beside it; from any thread."""
        return self._analyser.latest().onsets + self._input_features.onsets

    @property
    def newest_onset(self) -> tuple[int, float]:
        """`onsets`, and the strength of the newest in tenths: detected at its very beginning, it grows for some milliseconds."""
        strength = self._analyser.latest().onset_strength + self._input_features.onset_strength
        return self.onsets, round(strength, 1)

    @property
    def rate_hz(self) -> int:
        """The model's rate, at which samples are counted."""
        return self._window_buffer.rate_hz

    @property
    def is_read_ahead(self) -> bool:
        """Whether a thread of its own reads the source, so that the sound of a hop is known before the hop is complete."""
        return self._thread is not None

    @property
    def has_ended(self) -> bool:
        """Whether the sound has ended and all of it was received."""
        return self._has_ended

    @property
    def received_samples(self) -> int:
        """Samples received since the start, at the model's rate."""
        return self._window_buffer.received_samples

    @property
    def dropped_samples(self) -> int:
        """Samples the source dropped because nobody read them in time."""
        return self._source.dropped_samples

    def start(self) -> None:
        """Read in a thread of its own from now on."""
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop reading; safe to call twice, and without `start`."""
        self._closing.set()
        if self._thread:
            self._thread.join()

    def wait(self, received_samples: int) -> None:
        """Return once more than `received_samples` may have been received, the sound has ended, or after WAIT_S.

        Raises what the source raised.
        """
        if self._thread is None:
            self._read_source()
            return
        with self._received:
            if self._window_buffer.received_samples <= received_samples and not self._has_ended:
                self._received.wait(WAIT_S)
        self.raise_failure()

    def raise_failure(self) -> None:
        """Raise what the source raised, if that ended the sound."""
        if self._failure:
            raise self._failure

    def pick(self, choose: Callable[[int], P | None]) -> P | None:
        """Return the hop that `choose` picks, given the samples received so far. No sound comes in between.

        Until `set_trim` is called for it, sound that its gains will trim is neither trimmed nor analysed.
        """
        with self._received:
            pick = choose(self._window_buffer.received_samples)
            if pick is not None:
                self._trimmed.pick(pick.index)
            return pick

    def begin_hop(self, index: int, gains: BandGains) -> None:
        """Trim and analyse the sound up to the end of hop `index`; `gains` are those that were set, for the first hop alone."""
        started_s, before = self._clock.now_s(), self.newest_onset
        with self._received:
            self._trimmed.begin(gains)
            self._advance(self._window_buffer.hop_samples * (index + 1))
        self._tell_onset(before)
        if self._thread is None:
            self._resample_s += self._clock.now_s() - started_s

    def set_trim(self, gains: BandGains) -> None:
        """Take the gains of the hop that was picked, for the sound from TRIM_HOPS later on."""
        before = self.newest_onset
        with self._received:
            self._trimmed.give(gains)
            self._advance_live()
        self._tell_onset(before)

    def window(self, index: int) -> NDArray[np.float32]:
        """Return the sound window of hop `index`; see WindowBuffer."""
        with self._received:
            return self._window_buffer.window(index)

    def window_until(self, end: int) -> NDArray[np.float32]:
        """Return the sound window that ends before sample `end`, within the hop after the last one asked for, trimmed and analysed."""
        with self._received:
            self._advance(end)
            return self._window_buffer.window_until(end)

    def pop_sound(self, index: int) -> NDArray[np.float32]:
        """Remove and return the sound for films up to the end of hop `index` [T, C]; see WindowBuffer."""
        with self._received:
            return self._window_buffer.pop_sound(index)

    def captured_s(self, end: int) -> float | None:
        """Return the capture time of the sample before `end`, counted since the start at the model's rate; None offline."""
        with self._received:
            return self._window_buffer.captured_s(end)

    def latest(self) -> AudioFeatures:
        """Return the latest features, with those of named inputs; from any thread, without waiting."""
        return self._input_features.latest(self._analyser.latest())

    def features_at(self, sample: int) -> AudioFeatures:
        """Return the features at `sample`, with those of named inputs; see FeatureAnalyser."""
        return self._input_features.at_sample(self._analyser.at_sample(sample), sample)

    def features_now(self, now_s: float, look_ahead_s: float) -> AudioFeatures:
        """Return the latest features extrapolated to `now_s`, their beat `look_ahead_s` further: onsets cannot be predicted."""
        latest = self.latest()
        newest = self.newest_sample()
        age_s = 0.0
        if newest:
            # Sound that was received and is not analysed yet is passed over: the features are older by it.
            sample, captured_s = newest
            age_s = max(0.0, now_s - captured_s + (sample - latest.end_sample) / self.rate_hz)
        now = extrapolate(latest, min(age_s, WAIT_S))
        return replace(now, beats=extrapolate(now, look_ahead_s).beats)

    def newest_sample(self) -> tuple[float, float] | None:
        """Return the number of the newest sample, at the model's rate, and when it was captured; None offline and before the first."""
        return self._window_buffer.newest_sample

    def pop_resample_s(self) -> float:
        """Return the time spent on resampling and analysis in the caller's thread since the last call."""
        spent_s, self._resample_s = self._resample_s, 0.0
        return spent_s

    def _run(self) -> None:
        try:
            while not self._closing.is_set() and not self._has_ended:
                self._read_source()
        except Exception as error:  # noqa: BLE001 - the step thread raises it, whatever it is
            self._failure = error
            self._end()

    def _read_source(self) -> None:
        """Receive the sound that has arrived, or wait for some."""
        block = self._source.read()
        for notice in self._source.notices():
            self._notices.tell(notice)
        if block is None:
            with self._received:
                self._window_buffer.finish()
                self._input_features.finish()
                self._advance_live()
            self._tell_faults()
            self._end()
        elif len(block[0]):
            started_s = self._clock.now_s()
            before, hops_before = self.newest_onset, self._complete_hops
            with self._received:
                self._window_buffer.append(*block)
                self._advance_live()
                # A step finds all features of its hop.
                self._input_features.feed(block[0], at_once=self._complete_hops != hops_before)
                self._received.notify_all()
            self._tell_faults()
            self._tell_onset(before)
            if self._thread is None:
                self._resample_s += self._clock.now_s() - started_s
        else:
            self._source.wait(WAIT_S)

    def _advance_live(self) -> None:
        """With a thread, trim and analyse at once all sound whose gains are decided: an onset is to be seen within a block."""
        if self._thread is not None:
            received_samples = self._window_buffer.received_samples
            # Part of a frame is of no use to the features yet.
            self._advance(received_samples - received_samples % self._analyser.frame_samples)

    def _advance(self, until: int) -> None:
        """Trim and analyse up to sample `until`, as far as gains are decided."""
        begin, end = self._trimmed.end, self._trimmed.advance(until)
        # The features begin with the show, not with what was heard before it.
        begin = max(begin, 0)
        if end > begin:
            self._analyser.feed(self._window_buffer.sound(begin, end))

    @property
    def _complete_hops(self) -> int:
        return self._window_buffer.received_samples // self._window_buffer.hop_samples

    def _tell_onset(self, before: tuple[int, float]) -> None:
        if self.newest_onset != before:
            for callback in self._onset_subscribers:
                callback()

    def _tell_faults(self) -> None:
        for notice in (*self._window_buffer.notices(), *self._input_features.notices()):
            self._notices.tell(notice)

    def _end(self) -> None:
        with self._received:
            self._has_ended = True
            self._received.notify_all()
