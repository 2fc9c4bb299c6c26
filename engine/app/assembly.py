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
    switcher: ModelSwitcher
    scene_controller: SceneController
    direction: Direction


class _Modulators:
    """The step thread's and the presenter's, told alike."""

    def __init__(
        self, parameters: Sequence[Parameter], mappings: dict[str, str], notify: Callable[[str], None]
    ) -> None:
        self.step = Modulator(parameters, mappings, notify)
        self.display = Modulator(parameters, mappings)

    def replace_parameters(self, parameters: Sequence[Parameter]) -> None:
        for modulator in (self.step, self.display):
            modulator.replace_parameters(parameters)

    def glide(self, duration_s: float) -> None:
        for modulator in (self.step, self.display):
            modulator.glide(duration_s)


def assemble_show(
    config: LiveConfig,
    backend: Backend,
    source: Source,
    store: ParameterStore,
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

    modulators = _modulators(config, store, notify)
    switcher = _switcher(config.model, backend, open_next, store, modulators, clock, source.live, notify)
    scene_controller = SceneController(
        Scenes(config.scenes), switcher, store, glide=modulators.glide, live=source.live, notify=notify
    )
    releasing.callback(scene_controller.close)
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
        modulator=modulators.step,
        display_modulator=modulators.display,
        scene_controller=scene_controller,
        witness=take,
        rest=rest,
    )
    return Assembly(source=source, switcher=switcher, scene_controller=scene_controller, direction=direction)


def _collect_between_hops(clock: Clock, releasing: ExitStack) -> Callable[[float], None]:
    """Take the collection of garbage into the show's own hands; all that is loaded by now stays out of it."""
    garbage = GcSchedule(clock)
    releasing.callback(garbage.end)
    garbage.begin()
    return garbage.rest


def assemble_replay(
    take: Take, source: Source, backend: Backend, store: ReplayedControls, clock: Clock, notify: Callable[[str], None]
) -> Assembly:
    """Put a show together that repeats a take. Raises ConfigError for a mapping that is not understood any more."""

    def open_next(path: str) -> Backend:
        return ReplayedFailures(open_backend(path, take.header.backend, take.header.threads), store)

    parameters = tuple(store.parameters.values())
    modulators = _Modulators(parameters, dict(take.header.mappings), notify)
    switcher = _switcher(
        take.model, ReplayedFailures(backend, store), open_next, store, modulators, clock, False, notify
    )
    scene_controller = SceneController(
        Scenes(take.folder), switcher, store, glide=modulators.glide, live=False, notify=notify
    )
    direction = Direction(
        modulator=modulators.step, display_modulator=modulators.display, scene_controller=scene_controller, replay=store
    )
    return Assembly(source=source, switcher=switcher, scene_controller=scene_controller, direction=direction)


def _modulators(config: LiveConfig, store: ParameterStore, notify: Callable[[str], None]) -> _Modulators:
    return _Modulators(tuple(store.parameters.values()), dict(config.mappings), notify)


def _switcher(
    path: str,
    backend: Backend,
    open_next: Callable[[str], Backend],
    store: ControlSource,
    modulators: _Modulators,
    clock: Clock,
    live: bool,
    notify: Callable[[str], None],
) -> ModelSwitcher:
    def adopt(card: ModelCard) -> None:
        parameters = parameters_for(card)
        store.replace_parameters(parameters)
        modulators.replace_parameters(parameters)

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
