"""A show put together from its settings: the models, the scenes, what drives the knobs, and what is kept of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from engine.app.config import SETTINGS, LiveConfig
from engine.audio.sources.source import Source
from engine.audio.window_buffer import window_samples
from engine.control.modulation.modulator import Modulator
from engine.control.parameter import Parameter
from engine.control.parameter_store import ControlSource, ParameterStore
from engine.control.parameter_table import parameters_for
from engine.control.scenes.scene_controller import SceneController
from engine.control.scenes.scene_files import Scenes
from engine.core.clock import Clock, WallClock
from engine.core.free_path import free_path
from engine.model.backends.backend import Backend
from engine.model.backends.selection import open_backend, open_with_fallback
from engine.model.card import ModelCard
from engine.model.switcher import ModelSwitcher
from engine.ops.gc_schedule import GcSchedule
from engine.render.step_loop import Direction, go_on
from engine.takes.recorder import RecordedSource, TakeRecorder
from engine.takes.replay import ReplayedControls, ReplayedFailures, Take
from engine.takes.take_log import take_header


@dataclass(frozen=True, kw_only=True, slots=True)
class Assembly:
    """What the loop plays."""

    source: Source
    deck: ModelSwitcher
    desk: SceneController
    direction: Direction


class _Modulators:
    """The step thread's and the presenter's, told alike."""

    def __init__(
        self, parameters: Sequence[Parameter], mappings: dict[str, str], notify: Callable[[str], None]
    ) -> None:
        self.step = Modulator(parameters, mappings, notify)
        self.display = Modulator(parameters, mappings)

    def adopt(self, parameters: Sequence[Parameter]) -> None:
        for modulator in (self.step, self.display):
            modulator.adopt(parameters)

    def glide(self, duration_s: float) -> None:
        for modulator in (self.step, self.display):
            modulator.glide(duration_s)


def assemble_show(
    config: LiveConfig,
    backend: Backend,
    source: Source,
    box: ParameterStore,
    clock: Clock,
    notify: Callable[[str], None],
    releasing: ExitStack,
) -> Assembly:
    """Put a show together; `releasing` ends what goes on beside it. Raises ConfigError for a mapping, SinkError for the take."""

    def open_next(path: str) -> Backend:
        opened = open_with_fallback(path, config.backend, config.threads, notify, notify)
        # Raises for a model whose controls take the engine's names, before it plays.
        parameters_for(opened.card)
        return opened

    modulators = _modulators(config, box, notify)
    deck = _deck(config.model, backend, open_next, box, modulators, clock, source.live, notify)
    desk = SceneController(Scenes(config.scenes), deck, box, glide=modulators.glide, live=source.live, notify=notify)
    releasing.callback(desk.close)
    take = None
    if config.take:
        # A show that is started again after a crash keeps a second take.
        folder = free_path(config.take)
        header = take_header(
            backend,
            source,
            model=config.model,
            date=WallClock.date(),
            threads=config.threads,
            settings={name: getattr(config, name) for name in SETTINGS},
            mappings=config.mappings,
        )
        take = TakeRecorder(folder, header, live=source.live, notify=notify)
        take.open()
        notify(f"take     {folder}")
        releasing.callback(take.close)
        source = RecordedSource(source, take)
    rest = _collect_between_hops(clock, releasing) if source.live else go_on
    direction = Direction(
        modulator=modulators.step, display_modulator=modulators.display, desk=desk, witness=take, rest=rest
    )
    return Assembly(source=source, deck=deck, desk=desk, direction=direction)


def _collect_between_hops(clock: Clock, releasing: ExitStack) -> Callable[[float], None]:
    """Take the collection of garbage into the show's own hands; all that is loaded by now stays out of it."""
    garbage = GcSchedule(clock)
    releasing.callback(garbage.end)
    garbage.begin()
    return garbage.rest


def assemble_replay(
    take: Take, source: Source, backend: Backend, box: ReplayedControls, clock: Clock, notify: Callable[[str], None]
) -> Assembly:
    """Put a show together that repeats a take. Raises ConfigError for a mapping that is not understood any more."""

    def open_next(path: str) -> Backend:
        return ReplayedFailures(open_backend(path, take.header.backend, take.header.threads), box)

    parameters = tuple(box.parameters.values())
    modulators = _Modulators(parameters, dict(take.header.mappings), notify)
    deck = _deck(take.model, ReplayedFailures(backend, box), open_next, box, modulators, clock, False, notify)
    desk = SceneController(Scenes(take.folder), deck, box, glide=modulators.glide, live=False, notify=notify)
    direction = Direction(modulator=modulators.step, display_modulator=modulators.display, desk=desk, replay=box)
    return Assembly(source=source, deck=deck, desk=desk, direction=direction)


def _modulators(config: LiveConfig, box: ParameterStore, notify: Callable[[str], None]) -> _Modulators:
    return _Modulators(tuple(box.parameters.values()), dict(config.mappings), notify)


def _deck(
    path: str,
    backend: Backend,
    open_next: Callable[[str], Backend],
    box: ControlSource,
    modulators: _Modulators,
    clock: Clock,
    live: bool,
    notify: Callable[[str], None],
) -> ModelSwitcher:
    def adopt(card: ModelCard) -> None:
        parameters = parameters_for(card)
        box.adopt(parameters)
        modulators.adopt(parameters)

    return ModelSwitcher(
        backend,
        open_next,
        on_model=adopt,
        clock=clock,
        window_samples=window_samples(backend.card),
        path=path,
        live=live,
        notify=notify,
    )
