"""The models of a show: one plays, the next is opened beside it, and for a while both do.

    deck = Deck(backend, open_backend, on_model=adopt, clock=WallClock(), window_samples=16000)
    deck.swap_to("other.onnx")            # at once; the model is opened and warmed in a thread of its own
    picture = deck.step(window, controls, index)

To the loop a deck is a session. All it does is a function of hops and controls, but for when a model was ready, whether two fit
into a hop, and what fails. These `happenings` says and `repeat` does again, so that a take is rendered as it was played.
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.core.background_task import BackgroundTask
from engine.core.clock import Clock
from engine.core.errors import BackendError, ModelFileError, UserError
from engine.core.fit import cover
from engine.core.show_event import HOLD, MODEL, RETURN, STATE, ShowEvent
from engine.model.backends.backend import Backend
from engine.model.card import ModelCard
from engine.model.crossfade import CrossfadePlan, mix_light, plan_crossfade
from engine.model.loading import LoadedModel, load_model
from engine.model.session import Controls, ModelFrame, Session, Snapshot

# T audio samples; H W C picture rows, columns, channels

_TIMED_STEPS = 31


@dataclass(frozen=True, slots=True)
class _Pending:
    """What plays from the next step on."""

    session: Session
    path: str
    plan: CrossfadePlan
    show_event: ShowEvent


class _Wish(NamedTuple):
    """A model that was asked for, and what is to be done once it is open."""

    path: str
    take: Callable[[LoadedModel], None]


@dataclass(slots=True)
class _Fade:
    """What played before, as long as it is seen or may be needed again."""

    old: Session
    path: str
    own: Controls
    """The old model's own controls as they were; the box may no longer have them."""
    plan: CrossfadePlan
    begin: int
    frozen_HWC: NDArray[np.uint8] | None
    """The old picture, where it stands still."""


class ModelSwitcher:
    """Plays one model and becomes another on demand. All calls come from the thread that steps."""

    def __init__(
        self,
        backend: Backend,
        open_model: Callable[[str], Backend],
        *,
        on_model: Callable[[ModelCard], None],
        clock: Clock,
        window_samples: int,
        path: str = "",
        live: bool = True,
        notify: Callable[[str], None] = print,
    ) -> None:
        """`on_model` is given the card whenever another model takes over; `window_samples` is what a step will be given.

        Offline a model is opened while the show waits, and no fade is shortened. Raises ModelFileError for a file of several
        rooms.
        """
        self._session = Session(backend)
        self._path = path
        self._first = backend.card
        self._open_model = open_model
        self._on_model = on_model
        self._clock = clock
        self._window_samples = window_samples
        self._live = live
        self._notify = notify
        self._task: tuple[_Wish, BackgroundTask[LoadedModel]] | None = None
        self._wish: _Wish | None = None
        self._pending: _Pending | None = None
        self._fade: _Fade | None = None
        self._controls: Controls = {}
        self._borrowed: Controls = {}
        self._last: ModelFrame | None = None
        self._last_index = -1
        self._steps_s: deque[float] = deque(maxlen=_TIMED_STEPS)
        self._show_events: list[ShowEvent] = []

    @property
    def card(self) -> ModelCard:
        """The first model's, whose rate, hop and size are the show's."""
        return self._first

    @property
    def playing(self) -> ModelCard:
        """That of the model that plays, or that a fade leads to."""
        return self._session.card

    @property
    def playing_path(self) -> str:
        return self._path

    @property
    def backend(self) -> Backend:
        return self._session.backend

    @property
    def is_fading(self) -> bool:
        return self._fade is not None

    @property
    def is_opening(self) -> bool:
        """Whether a model is being opened."""
        return self._wish is not None

    def swap_to(
        self,
        path: str,
        *,
        state: Snapshot | None = None,
        graph_sha256: str = "",
        when_taken: Callable[[], None] = lambda: None,
    ) -> None:
        """Open the model file `path` and, once it is ready, fade to it; one asked for earlier and not ready yet is forgotten.

        It begins in `state` where its graph is the one of `graph_sha256`. `when_taken` is called when its parameters are there.
        A file that cannot be played costs a notice.
        """

        def take(opened: LoadedModel) -> None:
            card, kept = opened.backend.card, state
            if kept is not None and card.graph_sha256 != graph_sha256:
                self._notify(f"{path} is not the model that the state was kept from; it begins from its initial state.")
                kept = None
            self._take(opened, kept)
            when_taken()

        self._wish = _Wish(path, take)
        if self._live:
            self._pursue(self._wish)
        else:
            self.wait_until_open(None)
            self._look_whether_open()

    def stay(self) -> None:
        """Forget the model that was asked for and does not play yet."""
        pending, self._pending, self._wish = self._pending, None, None
        if pending and pending.session.backend is not self._session.backend:
            self._on_model(self._session.card)

    def wait_until_open(self, timeout_s: float | None) -> bool:
        """Wait until the model asked for is ready, at most so long, and say whether it is; it plays after the next step."""
        while self._wish:
            wish, task = self._pursue(self._wish)
            if not task.wait(timeout_s):
                return False
            if wish is self._wish:
                break
        return True

    def snapshot_state(self) -> Snapshot:
        """Return a copy of what the playing model remembers."""
        return self._session.snapshot()

    def restore_state(self, state: Snapshot) -> None:
        """Fade, from the next step on, to the playing model in `state`. Raises ConfigError for a state that is not its own."""
        self._begin_in(state, self._plan(None))

    def show_events(self) -> tuple[ShowEvent, ...]:
        """Take what has happened since the last call, for a take; it belongs to the last step."""
        happened, self._show_events = tuple(self._show_events), []
        return happened

    def repeat(self, show_event: ShowEvent) -> None:
        """Do again, before a step, what happened before or in it when the show was played. Raises UserError where it cannot."""
        match show_event["kind"]:
            case "model":
                self.swap_now(show_event)
            case "state":
                self._begin_in(
                    show_event["state"], CrossfadePlan(int(show_event["fade_hops"]), bool(show_event["is_held"]))
                )
            # What is pending failed in the very hop in which it would begin.
            case "return" if self._pending:
                self._forgo(self._pending)
            case "return" if self._fade:
                self._go_back(self._fade)
            case "hold" if self._pending:
                self._pending = replace(self._pending, plan=CrossfadePlan(self._pending.plan.hops, True))
            case "hold" if self._fade:
                self._freeze(self._fade)
            case _:
                pass

    def swap_now(self, show_event: ShowEvent) -> None:
        """Open a model while the show waits; it plays from the next step on, with the fade that it had. Raises UserError."""
        path = str(show_event["model"])
        opening = self._opening(path)
        opening.wait()
        opened = opening.result()
        found = opened.backend.card.graph_sha256
        if found != show_event["graph_sha256"]:
            raise ModelFileError(
                f"{path} has the checksum {found[:12]}… and the take was made with {str(show_event['graph_sha256'])[:12]}…; "
                "give the file that was played."
            )
        plan = CrossfadePlan(int(show_event["fade_hops"]), bool(show_event["is_held"]))
        self._take(opened, show_event.get("state"), plan)

    def step(self, window_T: NDArray[np.float32], controls: Controls, index: int) -> ModelFrame:
        """Play hop `index` as a session does; `window_T` may be longer than the model's, the newest last. Raises BackendError."""
        before, self._controls = self._controls, controls
        self._begin(index, before)
        fade = self._fade
        if fade and index - fade.begin > fade.plan.hops:
            self._fade = fade = None
        picture = self._faded(fade, window_T, index) if fade else self._alone(window_T, index)
        self._last, self._last_index = picture, index
        self._look_whether_open()
        return picture

    def held(self, controls: Controls) -> ModelFrame:
        """Return the last picture again; black before the first."""
        # Of a model whose steps fail, the show is delivered by the next one.
        self._look_whether_open()
        if self._fade is None or self._last is None:
            return self._fitted(self._session.held(controls))
        return self._last

    def _alone(self, window_T: NDArray[np.float32], index: int) -> ModelFrame:
        controls, self._borrowed = {**self._controls, **self._borrowed}, {}
        started_s = self._clock.now_s()
        picture = self._stepped(self._session, window_T, controls, index)
        self._steps_s.append(self._clock.now_s() - started_s)
        return picture

    def _faded(self, fade: _Fade, window_T: NDArray[np.float32], index: int) -> ModelFrame:
        """Take the steps of both models, or of the new one alone, and mix what they show."""
        share = fade.plan.share(index - fade.begin)
        if fade.frozen_HWC is None and index > max(self._last_index + 1, fade.begin):
            # A hop was lost while two models stepped: one is enough.
            self._freeze(fade)
        old_HWC = self._old_image(fade, window_T, index) if share < 1.0 else None
        steps_both = old_HWC is not None and fade.frozen_HWC is None
        try:
            new = self._stepped(self._session, window_T, self._controls, index)
        except BackendError as error:
            self._notify(f"{error} {fade.old.card.name} keeps playing.")
            self._show_events.append({"kind": RETURN})
            self._go_back(fade)
            if not steps_both:
                return self._alone(window_T, index)
            self._borrowed = {}
            return self._fitted(self._session.held(self._controls))
        if old_HWC is None:
            return new
        return ModelFrame(pixels_HWC=mix_light(old_HWC, new.pixels_HWC, share), features_F=new.features_F)

    def _old_image(self, fade: _Fade, window_T: NDArray[np.float32], index: int) -> NDArray[np.uint8]:
        """Return the picture that fades away."""
        if fade.frozen_HWC is None:
            try:
                return self._stepped(fade.old, window_T, {**self._controls, **fade.own}, index).pixels_HWC
            except BackendError as error:
                self._notify(f"{error} Its last picture fades.")
                self._show_events.append({"kind": HOLD})
        return self._freeze(fade) if fade.frozen_HWC is None else fade.frozen_HWC

    def _freeze(self, fade: _Fade) -> NDArray[np.uint8]:
        """Let the old picture stand still from now on, and return it."""
        fade.frozen_HWC = self._fitted(fade.old.held(self._controls)).pixels_HWC
        return fade.frozen_HWC

    def _go_back(self, fade: _Fade) -> None:
        """Let the model before play again, with the knobs that it had."""
        self._session, self._path, self._fade = fade.old, fade.path, None
        self._borrowed = fade.own
        self._on_model(self._session.card)

    def _forgo(self, pending: _Pending) -> None:
        """Let the model that plays go on as if the next one had begun and failed."""
        self._borrowed, self._pending, self._fade = self._own(pending, self._controls), None, None
        self._on_model(self._session.card)

    def _own(self, pending: _Pending, before: Controls) -> Controls:
        """Return those of the controls `before` that the playing model has and a box with the next one's may lack."""
        is_same = pending.session.backend is self._session.backend
        return {} if is_same else {c.name: before[c.name] for c in self.playing.controls if c.name in before}

    def _begin(self, index: int, before: Controls) -> None:
        """Let what is pending play; `before` are the controls of the last step."""
        pending, self._pending = self._pending, None
        if pending is None:
            return
        last, plan = self._last, pending.plan
        frozen = last.pixels_HWC if last and (plan.is_held or self._fade) else None
        plan = plan if last else CrossfadePlan(0, True)
        self._fade = _Fade(self._session, self._path, self._own(pending, before), plan, index, frozen)
        self._session, self._path = pending.session, pending.path
        self._show_events.append(pending.show_event)

    def _opening(self, path: str) -> BackgroundTask[LoadedModel]:
        # In a thread of its own also where it is waited for: ONNX Runtime changes how the thread that opens a model rounds
        # the smallest numbers, and a replay steps as the show did.
        return BackgroundTask(
            f"opening {path}",
            lambda: load_model(path, self._open_model, self._first, self._window_samples, self._clock),
        )

    def _take(self, opened: LoadedModel, state: Snapshot | None, plan: CrossfadePlan | None = None) -> None:
        """Let a model that is ready play from the next step on. Raises ConfigError for a state that is not its own."""
        session, plan = self._resumed(opened.backend, state), plan or self._plan(opened.step_s)
        show_event = {
            "kind": MODEL,
            "model": opened.path,
            "graph_sha256": opened.backend.card.graph_sha256,
            "state": state,
            "fade_hops": plan.hops,
            "is_held": plan.is_held,
        }
        self._steps_s.clear()
        self._steps_s.append(opened.step_s)
        self._on_model(opened.backend.card)
        self._pending = _Pending(session, opened.path, plan, show_event)

    def _begin_in(self, state: Snapshot, plan: CrossfadePlan) -> None:
        session = self._resumed(self._session.backend, state)
        show_event = {"kind": STATE, "state": state, "fade_hops": plan.hops, "is_held": plan.is_held}
        self._pending = _Pending(session, self._path, plan, show_event)

    def _plan(self, next_step_s: float | None) -> CrossfadePlan:
        """Return the fade to a model that takes `next_step_s` a step, or to this one in another state."""
        own_s = statistics.median(self._steps_s) if self._steps_s else 0.0
        both_s = own_s + (own_s if next_step_s is None else next_step_s)
        crossfade_s = float(self._controls.get("crossfade_s", 0.0))
        return plan_crossfade(crossfade_s, self._first.hop_s, both_s if self._live else None)

    def _resumed(self, backend: Backend, state: Snapshot | None) -> Session:
        """Return a session that begins now, and does not owe the resets asked for so far."""
        return Session(backend, state=state, resets=int(self._controls.get("reset", 0)))

    def _stepped(self, session: Session, window_T: NDArray[np.float32], controls: Controls, index: int) -> ModelFrame:
        return self._fitted(session.step(window_T, controls, index))

    def _fitted(self, picture: ModelFrame) -> ModelFrame:
        """Return the picture in the show's size."""
        pixels_HWC = cover(picture.pixels_HWC, self._first.width, self._first.height)
        return picture if pixels_HWC is picture.pixels_HWC else replace(picture, pixels_HWC=pixels_HWC)

    def _look_whether_open(self) -> None:
        """Take the model that was asked for, if it is ready."""
        if self._wish is None:
            if self._task and self._task[1].is_done:
                self._task = None
            return
        wish, task = self._pursue(self._wish)
        if wish is not self._wish or not task.is_done:
            return
        self._wish = self._task = None
        try:
            wish.take(task.result())
        except UserError as error:
            self._notify(f"{error} {self.playing.name} keeps playing.")

    def _pursue(self, wish: _Wish) -> tuple[_Wish, BackgroundTask[LoadedModel]]:
        """Return what is being opened: the wish, unless another model is still on its way. Never two at a time, lest a flood
        of wishes fill the memory."""
        if self._task is None or (self._task[0] is not wish and self._task[1].is_done):
            self._task = wish, self._opening(wish.path)
        return self._task
