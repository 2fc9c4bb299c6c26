"""The step thread's part of a show: hop after hop, from window, pulse and knobs to a frame in the hands of the sinks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.audio.auto_gain import AutoGain
from engine.audio.capture import AudioCapture
from engine.audio.features.audio_features import AudioFeatures
from engine.control.bar_reset import BarReset
from engine.control.modulation.modulator import Modulator
from engine.control.parameter_store import ControlSnapshot, ControlSource
from engine.control.parameter_table import ShowValues
from engine.core.clock import Clock
from engine.core.errors import BackendError, SinkError
from engine.core.notices import Notices
from engine.core.show_event import ShowEvent
from engine.model.card import ModelCard
from engine.model.session import Controls, ModelFrame
from engine.output.frame import Frame
from engine.output.sink import Sink
from engine.render.effects.chain import EffectChain
from engine.render.effects.effect_parameters import look
from engine.render.pacing import Pick, is_over, pick_hop
from engine.render.statistics import ShowStatistics

# T audio samples, C channels


class FrameModel(Protocol):
    """What steps: a Session, or several of them."""

    @property
    def card(self) -> ModelCard: ...

    def step(self, window_T: NDArray[np.float32], controls: Controls, index: int) -> ModelFrame: ...

    def held(self, controls: Controls) -> ModelFrame: ...


class SceneControl(Protocol):
    """Who keeps and recalls scenes; see engine/control/scenes/scene_controller.py."""

    def attend(self, snapshot: ControlSnapshot) -> None: ...

    def show_events(self) -> tuple[ShowEvent, ...]: ...

    def repeat(self, show_event: ShowEvent) -> None: ...


class HopRecorder(Protocol):
    """Who is told everything that the pictures depend on, so that the show can be played again; see engine/takes/recorder.py."""

    def note(
        self,
        index: int,
        skipped_hops: int,
        snapshot: ControlSnapshot,
        failed: bool = False,
        show_events: Sequence[ShowEvent] = (),
    ) -> None: ...


def go_on(spare_s: float) -> None:
    """Nothing waits for spare time."""


class ReplayedTake(Protocol):
    """A take that is played again; see engine/takes/replay.py."""

    fails_now: bool

    def pick(self, received_samples: int, hop_samples: int, last_index: int, live: bool) -> Pick | None: ...

    def show_events(self, index: int) -> tuple[ShowEvent, ...]: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Direction:
    """What goes with a show besides its knobs; any may be missing."""

    modulator: Modulator
    """The step thread's."""
    display_modulator: Modulator
    """The presenter's, which draws at moments of its own."""
    scene_controller: SceneControl | None = None
    witness: HopRecorder | None = None
    replay: ReplayedTake | None = None
    """The take that is played again, if it is one."""
    rest: Callable[[float], None] = go_on
    """Called after each hop with the seconds that are left until the next."""


@dataclass(slots=True)
class StepLoop:
    """One show under way."""

    session: FrameModel
    capture: AudioCapture
    live: bool
    sinks: list[Sink]
    store: ControlSource
    direction: Direction
    clock: Clock
    stats: ShowStatistics
    notices: Notices
    auto_gain: AutoGain
    bar_reset: BarReset = field(default_factory=BarReset)
    effect_chain: EffectChain = field(default_factory=EffectChain)
    tempo_bpm: float = 0.0
    features_F: NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        # Before the first step nothing was heard.
        self.features_F = np.zeros(self.session.card.feature_bands, np.float32)

    def play(
        self,
        stop: threading.Event,
        seconds: float | None,
        present: Callable[[Frame], None] | None,
        poll: Callable[[], bool] | None,
    ) -> None:
        """Step hop after hop, each as soon as its sound has arrived. Finished frames go to the sinks, plain ones to `present`
        when it has its own finish (`poll` is None), else finished."""
        card, last_index, free_since_s = self.session.card, -1, self.clock.now_s()
        choose = self.direction.replay.pick if self.direction.replay else pick_hop
        while not stop.is_set() and not is_over(last_index + 1, card.hop_s, seconds):
            over, received_samples = self.capture.over, self.capture.received_samples
            pick = choose(received_samples, card.hop_samples, last_index, self.live)
            if pick is None:
                if over:
                    self.capture.check()
                    break
                self.capture.wait(received_samples)
                continue
            self.stats.received_samples = received_samples
            self.stats.dropped_samples = self.capture.dropped_samples
            frame = self._step(pick, free_since_s)
            self._hand_on(frame, present, poll is None)
            busy_s = self.clock.now_s() - free_since_s - frame.timings_s["wait"]
            self.direction.rest(card.hop_s - busy_s)
            last_index, free_since_s = pick.index, self.clock.now_s()
            if poll and not poll():
                break

    def _step(self, pick: Pick, free_since_s: float) -> Frame:
        card, index, direction = self.session.card, pick.index, self.direction
        window_T = self.capture.window(index)
        started_s, resample_s = self.clock.now_s(), self.capture.take_resample_s()
        time_s, sound_TC = (index + 1) * card.hop_s, self.capture.take_sound(index)
        snapshot = self.store.take_snapshot(index)
        self._repeat(index)
        audio_features = self._audio_features(snapshot, index)
        given = {
            **snapshot.values,
            ShowValues.reset.name: ShowValues(snapshot.values).reset
            + self.bar_reset.count(snapshot.values, audio_features),
        }
        values = direction.modulator.values(given, audio_features, self.features_F, time_s)
        picture, failed = self._picture(self.auto_gain.window(window_T, index, values), values, index)
        self.features_F = picture.features_F
        show_events = direction.scene_controller.show_events() if direction.scene_controller else ()
        if direction.witness:
            direction.witness.note(index, pick.skipped_hops, snapshot, failed, show_events)
        if direction.scene_controller and not direction.replay:
            direction.scene_controller.attend(snapshot)
        return Frame(
            index=index,
            pixels_HWC=picture.pixels_HWC,
            features_F=picture.features_F,
            sound_TC=sound_TC,
            time_s=time_s,
            captured_s=self.capture.captured_s(index),
            audio_features=audio_features,
            values=values,
            skipped_hops=pick.skipped_hops,
            timings_s={
                "wait": started_s - free_since_s - resample_s,
                "resample": resample_s,
                "step": self.clock.now_s() - started_s,
            },
        )

    def _repeat(self, index: int) -> None:
        """Do again what happened at this hop when the show was played, if this is a replay."""
        if self.direction.replay and self.direction.scene_controller:
            for show_event in self.direction.replay.show_events(index):
                self.direction.scene_controller.repeat(show_event)

    def _audio_features(self, snapshot: ControlSnapshot, index: int) -> AudioFeatures:
        """Return the pulse at the end of hop `index`, whose turn's taps and tempo count from where they came."""
        meter, hop_samples = self.capture.meter, self.session.card.hop_samples
        for event in snapshot.events:
            if event.name == ShowValues.tap.name:
                meter.tap(event.number)
        tempo_bpm = ShowValues(snapshot.values).tempo_bpm
        if tempo_bpm != self.tempo_bpm:
            self.tempo_bpm = tempo_bpm
            meter.set_tempo(tempo_bpm, index * hop_samples)
        return meter.at((index + 1) * hop_samples)

    def _picture(self, window_T: NDArray[np.float32], values: Controls, index: int) -> tuple[ModelFrame, bool]:
        """Return the picture of a hop, and whether its step failed."""
        try:
            return self.session.step(window_T, values, index), False
        except BackendError as error:
            replay = self.direction.replay
            if not self.live and not (replay and replay.fails_now):
                raise
            self.stats.failed_steps += 1
            line = f"{error} The last picture is held ({{count}} times so far)."
            self.notices.tell_sparsely("step", line, self.clock.now_s())
            return self.session.held(values), True

    def _hand_on(self, frame: Frame, present: Callable[[Frame], None] | None, present_plain: bool) -> None:
        """Give the frame to every sink, and note how long all took."""
        given_s = self.clock.now_s()
        if present and present_plain:
            present(frame)
        if self.sinks or not present_plain:
            pixels_HWC = self.effect_chain.finish(
                frame.pixels_HWC, look(frame.values, frame.audio_features), frame.time_s
            )
            frame = replace(frame, pixels_HWC=pixels_HWC)
        self._give(frame)
        if present and not present_plain:
            present(frame)
        now_s = self.clock.now_s()
        age_s = None if frame.captured_s is None else given_s - frame.captured_s
        self.stats.add_frame(frame.skipped_hops, age_s, {**frame.timings_s, "finish": now_s - given_s})
        if frame.skipped_hops and self.live:
            line = "Sound was skipped to keep up, with its pictures: {count} hops."
            self.notices.tell_sparsely("overload", line, now_s, frame.skipped_hops)

    def _give(self, frame: Frame) -> None:
        for sink in list(self.sinks):
            try:
                sink.show(frame)
            except SinkError as error:
                if not self.live:
                    raise
                self.notices.tell(f"{error} The show goes on without {sink.name}.")
                self.sinks.remove(sink)
                sink.close()
