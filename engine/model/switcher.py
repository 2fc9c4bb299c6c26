"""The model switcher: plays one model, loads the next in the background and crossfades to it.

    switcher = ModelSwitcher(backend, open_backend, on_model=adopt, clock=WallClock(), window_samples=16000)
    switcher.swap_to("other.onnx")            # returns at once; the model is loaded in a background thread
    frame = switcher.step(window, controls, index)

To the step loop a switcher is a session. Its frames depend on hops and controls alone, but for three things: when a model was
loaded, whether two models fit into a hop, and which steps failed. `show_events` reports these and `repeat` does them again, so
a take replays bit-exact.
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.core.clock import Clock
from engine.core.errors import BackendError, StoppedError, UserError
from engine.core.fit import cover
from engine.core.show_event import HOLD, MODEL, RETURN, STATE, ShowEvent
from engine.model.backend import Backend
from engine.model.card import ModelCard
from engine.model.crossfade import CrossfadePlan, mix_light, plan_crossfade
from engine.model.loading import LoadedModel, ModelLoader, OpenModel, load_model
from engine.model.session import Controls, ModelFrame, Session, Snapshot
from engine.model.swap import (
    PendingSwap,
    RunningCrossfade,
    check_stored_model,
    model_swap,
    state_swap,
    stored_plan,
)

# T audio samples; H W C frame rows, columns, channels

_TIMED_STEPS = 31


class ModelSwitcher:
    """Plays one model and changes to another on request. All calls come from the thread that steps."""

    def __init__(
        self,
        backend: Backend,
        open_model: OpenModel,
        *,
        on_model: Callable[[ModelCard], None],
        clock: Clock,
        window_samples: int,
        path: str = "",
        live: bool = True,
        notify: Callable[[str], None] = print,
    ) -> None:
        """`on_model` gets the card of each model that takes over; `window_samples` is the length of the windows of all steps.

        Offline the show waits while a model is loaded, and no crossfade is shortened. Raises ModelFileError for a file with a
        batch.
        """
        self._session = Session(backend)
        self._path = path
        self._first = backend.card
        self._on_model = on_model
        self._clock = clock
        self._live = live
        self._notify = notify
        self._loader = ModelLoader(
            lambda path, is_stopped: load_model(path, open_model, self._first, window_samples, clock, is_stopped)
        )
        self._pending: PendingSwap | None = None
        self._crossfade: RunningCrossfade | None = None
        self._controls: Controls = {}
        self._restored: Controls = {}
        """Control inputs that the model has again after a swap back, for one step: the store gets them only then."""
        self._last: ModelFrame | None = None
        self._last_index = -1
        self._steps_s: deque[float] = deque(maxlen=_TIMED_STEPS)
        self._show_events: list[ShowEvent] = []
        self._when_refused = self.tell_refused

    @property
    def card(self) -> ModelCard:
        """The card of the first model, whose sample rate, hop and size are those of the show."""
        return self._first

    @property
    def playing(self) -> ModelCard:
        """The card of the model that plays, or that a crossfade leads to."""
        return self._session.card

    @property
    def next_card(self) -> ModelCard:
        """The card of the model whose parameters the show has: of the one that plays from the next step on."""
        return (self._pending.session if self._pending else self._session).card

    @property
    def playing_path(self) -> str:
        return self._path

    @property
    def backend(self) -> Backend:
        return self._session.backend

    @property
    def is_crossfading(self) -> bool:
        return self._crossfade is not None

    @property
    def is_steady(self) -> bool:
        """Whether one model plays alone, so that its state is all that there is to know."""
        return not (self._crossfade or self._pending or self._restored)

    @property
    def is_loading(self) -> bool:
        """Whether a model was asked for and does not play yet."""
        return self._loader.is_loading

    def swap_to(
        self,
        path: str,
        *,
        state: Snapshot | None = None,
        graph_sha256: str = "",
        when_taken: Callable[[], None] = lambda: None,
        when_refused: Callable[[UserError], None] | None = None,
    ) -> None:
        """Load the model file `path` and crossfade to it when it is ready. An earlier request that is not ready is dropped.

        The model begins in `state` if its graph has the checksum `graph_sha256`. `when_taken` is called after `on_model`.
        A file that cannot be played costs a notice, or `when_refused` gets the error in its place.
        """

        def swap(loaded: LoadedModel) -> None:
            card, begin = loaded.backend.card, state
            if begin is not None and card.graph_sha256 != graph_sha256:
                self._notify(f"{path} is not the model that the state belongs to; it begins in its initial state.")
                begin = None
            self._swap(loaded, begin, self._plan(loaded.step_s))
            when_taken()

        self._when_refused = when_refused or self.tell_refused
        self._loader.request(path, swap)
        if not self._live:
            self._loader.wait(None)
            self._take_loaded()

    def cancel_pending(self) -> None:
        """Drop the model that was asked for and does not play yet."""
        self._loader.cancel()
        pending, self._pending = self._pending, None
        if pending and pending.session.backend is not self._session.backend:
            self._on_model(self._session.card)

    def close(self) -> None:
        """Give up what is being loaded, at the end of the show."""
        self._loader.close()

    def wait_until_open(self, timeout_s: float | None) -> bool:
        """Wait at most so long until the requested model is loaded, and return whether it is. It plays after the next step."""
        return self._loader.wait(timeout_s)

    def snapshot_state(self) -> Snapshot:
        """Return a copy of the state of the playing model."""
        return self._session.snapshot()

    def restore_state(self, state: Snapshot) -> None:
        """Crossfade, from the next step on, to the playing model in `state`. Raises ConfigError for a state of another model."""
        self._begin_in(state, self._plan(None))

    def show_events(self) -> tuple[ShowEvent, ...]:
        """Return the events since the last call, for a take; they belong to the last step."""
        events, self._show_events = tuple(self._show_events), []
        return events

    def repeat(self, show_event: ShowEvent) -> None:
        """Repeat a stored event, before the step that it belongs to. Raises UserError where that is impossible."""
        kind = show_event["kind"]
        if kind == MODEL:
            loaded = self._loader.load_now(str(show_event["model"]))
            check_stored_model(show_event, loaded.backend.card.graph_sha256)
            self._swap(loaded, show_event.get("state"), stored_plan(show_event))
        elif kind == STATE:
            self._begin_in(show_event["state"], stored_plan(show_event))
        elif kind == RETURN and self._pending:
            # The pending model failed in the hop in which it would begin.
            self._give_up(self._pending)
        elif kind == RETURN and self._crossfade:
            self._go_back(self._crossfade)
        elif kind == HOLD and self._pending:
            self._pending = replace(self._pending, plan=CrossfadePlan(self._pending.plan.hops, True))
        elif kind == HOLD and self._crossfade:
            self._hold_old(self._crossfade)

    def step(self, window_T: NDArray[np.float32], controls: Controls, index: int) -> ModelFrame:
        """Play hop `index` as a session does; `window_T` may be longer than the model's window. Raises BackendError."""
        before, self._controls = self._controls, controls
        self._begin_pending(index, before)
        crossfade = self._crossfade
        if crossfade and index - crossfade.begin > crossfade.plan.hops:
            self._crossfade = crossfade = None
        frame = self._step_both(crossfade, window_T, index) if crossfade else self._step_one(window_T, index)
        self._last, self._last_index = frame, index
        self._take_loaded()
        return frame

    def early(self, window_T: NDArray[np.float32], controls: Controls, index: int) -> ModelFrame | None:
        """Return hop `index` as it looks before its sound has all arrived; see Session. None while one model gives way to another."""
        if self._crossfade or self._pending or self._restored:
            return None
        frame = self._session.early(window_T, controls, index)
        return self._fitted(frame) if frame else None

    def held(self, controls: Controls) -> ModelFrame:
        """Return the last frame again; black before the first."""
        # When the steps of a model fail, the next model is delivered here.
        self._take_loaded()
        if self._crossfade is None or self._last is None:
            return self._fitted(self._session.held(controls))
        return replace(self._last, follows=False)

    def _step_one(self, window_T: NDArray[np.float32], index: int) -> ModelFrame:
        controls, self._restored = {**self._controls, **self._restored}, {}
        started_s = self._clock.now_s()
        frame = self._stepped(self._session, window_T, controls, index)
        self._steps_s.append(self._clock.now_s() - started_s)
        return frame

    def _step_both(self, crossfade: RunningCrossfade, window_T: NDArray[np.float32], index: int) -> ModelFrame:
        """Step both models, or the new one alone, and mix their frames."""
        share = crossfade.plan.share(index - crossfade.begin)
        if crossfade.held_HWC is None and index > max(self._last_index + 1, crossfade.begin):
            # A hop was lost while two models were stepped: from now on only one is.
            self._hold_old(crossfade)
        old_HWC = self._old_pixels(crossfade, window_T, index) if share < 1.0 else None
        steps_both = old_HWC is not None and crossfade.held_HWC is None
        try:
            new = self._stepped(self._session, window_T, self._controls, index)
        except BackendError as error:
            self._notify(f"{error} {crossfade.old.card.name} keeps playing.")
            self._show_events.append({"kind": RETURN})
            self._go_back(crossfade)
            if not steps_both:
                return self._step_one(window_T, index)
            self._restored = {}
            return self._fitted(self._session.held(self._controls))
        if old_HWC is None:
            return new
        mixed_HWC = mix_light(old_HWC, new.pixels_HWC, share)
        return ModelFrame(pixels_HWC=mixed_HWC, features_F=new.features_F, follows=False)

    def _old_pixels(self, crossfade: RunningCrossfade, window_T: NDArray[np.float32], index: int) -> NDArray[np.uint8]:
        """Return the frame of the old model."""
        if crossfade.held_HWC is None:
            try:
                controls = {**self._controls, **crossfade.own_controls}
                return self._stepped(crossfade.old, window_T, controls, index).pixels_HWC
            except BackendError as error:
                self._notify(f"{error} Its last frame fades out.")
                self._show_events.append({"kind": HOLD})
        return self._hold_old(crossfade) if crossfade.held_HWC is None else crossfade.held_HWC

    def _hold_old(self, crossfade: RunningCrossfade) -> NDArray[np.uint8]:
        """Stop stepping the old model, and return the frame that is held from now on."""
        crossfade.held_HWC = self._fitted(crossfade.old.held(self._controls)).pixels_HWC
        return crossfade.held_HWC

    def _go_back(self, crossfade: RunningCrossfade) -> None:
        """Let the old model play again, with its own control inputs."""
        self._session, self._path, self._crossfade = crossfade.old, crossfade.path, None
        self._restored = crossfade.own_controls
        self._on_model(self._session.card)

    def _give_up(self, pending: PendingSwap) -> None:
        """Let the playing model go on as if the pending one had begun and failed."""
        self._restored, self._pending, self._crossfade = self._own_controls(pending, self._controls), None, None
        self._on_model(self._session.card)

    def _own_controls(self, pending: PendingSwap, before: Controls) -> Controls:
        """Return those of the values `before` that feed the playing model and that a store for the pending one may lack."""
        if pending.session.backend is self._session.backend:
            return {}
        # The pending one may have a parameter of the name of a fixed control.
        fixed = {c.name: before.get(c.name, c.default) for c in self.playing.fixed_controls}
        return {**fixed, **{c.name: before[c.name] for c in self.playing.controls if c.name in before}}

    def _begin_pending(self, index: int, before: Controls) -> None:
        """Let the pending session play; `before` are the values of the last step."""
        pending, self._pending = self._pending, None
        if pending is None:
            return
        last, plan = self._last, pending.plan
        held_HWC = last.pixels_HWC if last and (plan.is_held or self._crossfade) else None
        plan = plan if last else CrossfadePlan(0, True)
        own_controls = self._own_controls(pending, before)
        self._crossfade = RunningCrossfade(self._session, self._path, own_controls, plan, index, held_HWC)
        self._session, self._path = pending.session, pending.path
        self._show_events.append(pending.show_event)

    def _swap(self, loaded: LoadedModel, state: Snapshot | None, plan: CrossfadePlan) -> None:
        """Let a loaded model play from the next step on. Raises ConfigError for a state of another model."""
        swap = model_swap(self._begun(loaded.backend, state), loaded.path, state, plan)
        self._steps_s.clear()
        self._steps_s.append(loaded.step_s)
        self._on_model(loaded.backend.card)
        self._pending = swap

    def _begin_in(self, state: Snapshot, plan: CrossfadePlan) -> None:
        self._pending = state_swap(self._begun(self._session.backend, state), self._path, state, plan)

    def _begun(self, backend: Backend, state: Snapshot | None) -> Session:
        """Return a session that begins now; the resets so far do not concern it."""
        return Session(backend, state=state, resets=int(self._controls.get("reset", 0)))

    def _plan(self, next_step_s: float | None) -> CrossfadePlan:
        """Plan the crossfade to a model with steps of `next_step_s`, or to the playing one in another state (None)."""
        own_s = statistics.median(self._steps_s) if self._steps_s else 0.0
        both_s = own_s + (own_s if next_step_s is None else next_step_s)
        crossfade_s = float(self._controls.get("crossfade_s", 0.0))
        return plan_crossfade(crossfade_s, self._first.hop_s, both_s if self._live else None)

    def _stepped(self, session: Session, window_T: NDArray[np.float32], controls: Controls, index: int) -> ModelFrame:
        return self._fitted(session.step(window_T, controls, index))

    def _fitted(self, frame: ModelFrame) -> ModelFrame:
        """Return the frame in the size of the show."""
        pixels_HWC = cover(frame.pixels_HWC, self._first.width, self._first.height)
        return frame if pixels_HWC is frame.pixels_HWC else replace(frame, pixels_HWC=pixels_HWC, layers=None)

    def _take_loaded(self) -> None:
        """Swap to the requested model, if it is loaded."""
        try:
            self._loader.deliver()
        except StoppedError:
            # The show ends.
            return
        except UserError as error:
            self._when_refused(error)

    def tell_refused(self, error: UserError) -> None:
        """Tell that a model cannot be played."""
        self._notify(f"{error} {self.playing.name} keeps playing.")
