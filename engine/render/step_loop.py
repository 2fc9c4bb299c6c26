"""The step loop: hop after hop, from the sound window and the parameters to a frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.audio.band_trim import BandGains
from engine.audio.capture import AudioCapture
from engine.audio.features.audio_features import AudioFeatures, extrapolate
from engine.control.bar_reset import BarReset
from engine.control.modulation.modulator import Modulator
from engine.control.parameter import Value
from engine.control.parameter_store import ControlSnapshot
from engine.control.parameter_table import SOUND_ALONE, ShowValues
from engine.core.errors import BackendError
from engine.core.stop_signals import StopFlag
from engine.model.card import ModelCard
from engine.model.session import Controls, ModelFrame
from engine.output.frame import Frame
from engine.render.delivery import FrameDelivery
from engine.render.early_steps import EarlySteps
from engine.render.pacing import Pick, is_over, pick_hop
from engine.render.runtime import Runtime
from engine.render.steering import Steering

# T audio samples, C channels, F feature bands

Values = Mapping[str, Value]


class FrameModel(Protocol):
    """What steps: a ConditionedModel."""

    @property
    def card(self) -> ModelCard: ...

    def step(self, window_T: NDArray[np.float32], controls: Controls, index: int) -> ModelFrame: ...

    def early(self, window_T: NDArray[np.float32], controls: Controls, index: int, end: int) -> ModelFrame | None: ...

    def held(self, controls: Controls) -> ModelFrame: ...


class StepLoop:
    """Steps one model through one show, and delivers its frames."""

    def __init__(
        self,
        model: FrameModel,
        capture: AudioCapture,
        modulator: Modulator,
        steering: Steering,
        delivery: FrameDelivery,
        runtime: Runtime,
    ) -> None:
        card = model.card
        self.delivery = delivery
        self._model = model
        self._capture = capture
        self._modulator = modulator
        self._steering = steering
        self._runtime = runtime
        self._bar_reset = BarReset()
        self._tempo_bpm, self._is_sound_alone = 0.0, False
        self._sound_samples = 0
        self._early_steps = EarlySteps(card)
        self._early_samples: list[int] = []
        """Where the early steps since the last hop ended, for the take."""
        self._hop_values: Values | None = None
        """Those of the last hop; None before the first and after a step that failed."""
        # Mappings may read the model's features before the first step.
        self._features_F = np.zeros(card.feature_bands, np.float32)

    def run(self, stop: StopFlag, seconds: float | None, poll: Callable[[], bool] = lambda: True) -> None:
        """Step each hop as soon as its sound has arrived, until `stop`, `seconds` of sound, the end of the sound, or until
        `poll`, asked after each hop, says False. Raises what the source raised, and offline what fails on the way."""
        card, runtime, last_index = self._model.card, self._runtime, -1
        choose = self._steering.replay.pick if self._steering.replay else pick_hop
        free_since_s = runtime.clock.now_s()
        while not stop.is_set() and not is_over(last_index + 1, card.hop_s, seconds):
            over, received_samples = self._capture.has_ended, self._capture.received_samples
            pick = self._capture.pick(
                partial(choose, hop_samples=card.hop_samples, last_index=last_index, live=runtime.live)
            )
            if pick is None:
                if over:
                    self._capture.raise_failure()
                    break
                self._step_early(last_index)
                self._capture.wait(received_samples)
                continue
            if self._steering.replay:
                # Offline the sound of a whole hop comes at once.
                self._step_early(last_index)
            runtime.statistics.received_samples = self._capture.received_samples
            runtime.statistics.dropped_samples = self._capture.dropped_samples
            frame = self._step(pick, free_since_s)
            self.delivery.deliver(frame)
            busy_s = runtime.clock.now_s() - free_since_s - frame.timings_s["wait"]
            runtime.between_hops(card.hop_s - busy_s)
            last_index, free_since_s = pick.index, runtime.clock.now_s()
            if not poll():
                break

    def _step(self, pick: Pick, free_since_s: float) -> Frame:
        index, steering, clock = pick.index, self._steering, self._runtime.clock
        snapshot = steering.store.take_snapshot(index)
        self._capture.begin_hop(index, _band_gains(snapshot.values))
        window_T = self._capture.window(index)
        started_s, resample_s = clock.now_s(), self._capture.pop_resample_s()
        time_s, sound_TC = (index + 1) * self._model.card.hop_s, self._capture.pop_sound(index)
        first_sample, self._sound_samples = self._sound_samples, self._sound_samples + len(sound_TC)
        self._repeat_show_events(index)
        audio_features = self._audio_features(snapshot, index)
        values = self._values(snapshot, audio_features, time_s)
        self._capture.set_trim(_band_gains(values))
        model_frame, failed = self._model_frame(window_T, values, index)
        self._features_F = model_frame.features_F
        self._hop_values = None if failed else values
        self._early_steps.stepped(clock.now_s() - started_s, audio_features)
        self._record(pick, snapshot, failed, audio_features)
        return Frame(
            index=index,
            pixels_HWC=model_frame.pixels_HWC,
            layers=model_frame.layers,
            features_F=model_frame.features_F,
            sound_TC=sound_TC,
            first_sample=first_sample,
            time_s=time_s,
            captured_s=self._capture.captured_s((index + 1) * self._model.card.hop_samples),
            audio_features=audio_features,
            values=values,
            given_values=snapshot.values,
            follows=model_frame.follows,
            skipped_hops=pick.skipped_hops,
            timings_s={
                "wait": started_s - free_since_s - resample_s,
                "resample": resample_s,
                "step": clock.now_s() - started_s,
            },
        )

    def _step_early(self, last_index: int) -> None:
        """Show what has been heard since hop `last_index`, if there was an onset and there is time for a step."""
        for end in self._early_ends(last_index):
            values, index = self._hop_values, last_index + 1
            if values is None:
                return
            try:
                frame = self._model.early(self._capture.window_until(end), values, index, end)
            except BackendError:
                # The hop's own step, which follows, says what is wrong.
                return
            if frame is None:
                return
            self._early_samples.append(end)
            self.delivery.deliver_early(
                Frame(
                    index=index,
                    pixels_HWC=frame.pixels_HWC,
                    layers=frame.layers,
                    features_F=frame.features_F,
                    sound_TC=np.zeros((0, 1), np.float32),
                    first_sample=self._sound_samples,
                    time_s=end / self._model.card.sample_rate_hz,
                    captured_s=self._capture.captured_s(end),
                    audio_features=self._capture.features_at(end),
                    values=values,
                    is_early=True,
                )
            )

    def _early_ends(self, last_index: int) -> Iterator[int]:
        """Yield where the sound of each early step ends: those of the take in a replay, else the newest sample where one is due."""
        replay, capture = self._steering.replay, self._capture
        if replay:
            while (end := replay.early_sample(capture.received_samples, last_index)) is not None:
                yield end
        elif self._runtime.has_early_steps and capture.is_read_ahead:
            heard = capture.analyser.latest()
            if self._early_steps.due(heard, last_index + 1):
                yield heard.end_sample

    def _repeat_show_events(self, index: int) -> None:
        """In a replay, repeat what happened at this hop of the show."""
        if self._steering.replay and self._steering.show_controller:
            for show_event in self._steering.replay.show_events(index):
                self._steering.show_controller.repeat(show_event)

    def _audio_features(self, snapshot: ControlSnapshot, index: int) -> AudioFeatures:
        """Return the audio features at the end of hop `index`; taps and a new tempo count from where they came."""
        analyser, hop_samples = self._capture.analyser, self._model.card.hop_samples
        if snapshot.beat_points:
            analyser.follow(snapshot.beat_points)
        values = ShowValues(snapshot.values)
        is_sound_alone, was_sound_alone = values.tempo_source == SOUND_ALONE, self._is_sound_alone
        self._is_sound_alone = is_sound_alone
        if is_sound_alone and not was_sound_alone:
            analyser.set_tempo(0.0, index * hop_samples)
            self._tempo_bpm = 0.0
        taps = [event.number for event in snapshot.events if event.name == ShowValues.tap.name]
        if taps and not is_sound_alone:
            analyser.tap(*taps)
        tempo_bpm = 0.0 if is_sound_alone else values.tempo_bpm
        if tempo_bpm != self._tempo_bpm:
            self._tempo_bpm = tempo_bpm
            analyser.set_tempo(tempo_bpm, index * hop_samples)
        return self._capture.features_at((index + 1) * hop_samples)

    def _values(self, snapshot: ControlSnapshot, audio_features: AudioFeatures, time_s: float) -> Values:
        """Return the parameters of this hop after resets on the bar, glides, smoothing and mappings."""
        self._bar_reset.count(snapshot.values, audio_features)
        given = self._bar_reset.as_came(snapshot).values
        return self._modulator.values(given, audio_features, self._features_F, time_s)

    def _model_frame(self, window_T: NDArray[np.float32], values: Values, index: int) -> tuple[ModelFrame, bool]:
        """Return the model's frame of a hop, and whether its step failed."""
        runtime, replay = self._runtime, self._steering.replay
        try:
            return self._model.step(window_T, values, index), False
        except BackendError as error:
            if not runtime.live and not (replay and replay.fails_now):
                raise
            runtime.statistics.failed_steps += 1
            line = f"{error} The last frame is held ({{times}} so far)."
            runtime.notices.tell_sparsely("step", line, runtime.clock.now_s())
            return self._model.held(values), True

    def _record(self, pick: Pick, snapshot: ControlSnapshot, failed: bool, audio_features: AudioFeatures) -> None:
        """Record the hop, then let scenes that were asked for or are ready take effect from the next hop on."""
        controller, recorder = self._steering.show_controller, self._steering.recorder
        show_events = controller.show_events() if controller else ()
        if recorder:
            in_take = self._bar_reset.as_came(snapshot)
            recorder.note(pick.index, pick.skipped_hops, in_take, failed, show_events, self._early_samples)
        self._early_samples = []
        if controller and not self._steering.replay:
            # What takes effect now is seen in the next hop, so that one must hold the beat.
            hop_s = self._model.card.hop_s
            next_features = extrapolate(audio_features, hop_s)
            controller.attend(snapshot, self._runtime.clock.now_s(), (pick.index + 1) * hop_s, next_features)


def _band_gains(values: Values) -> BandGains:
    show_values = ShowValues(values)
    return BandGains(show_values.low_gain_db, show_values.mid_gain_db, show_values.high_gain_db)
