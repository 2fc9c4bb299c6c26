"""A show put together from its settings: the models, the scenes, what drives the knobs, and what is kept of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from engine.backends.backend import Backend
from engine.backends.ladder import open_backend, open_enduring
from engine.clock import Clock, WallClock
from engine.config import SETTINGS, LiveConfig
from engine.control_box import ControlBox, ControlsBox
from engine.free_name import free_path
from engine.hearing import window_samples
from engine.parameters import Parameter
from engine.performance import Direction, go_on
from engine.service.garbage import Garbage
from engine.show.deck import Deck
from engine.show.modulator import Modulator
from engine.show.replay import ReplayBox, SameFaults, Take
from engine.show.scene_desk import SceneDesk
from engine.show.scenes import Scenes
from engine.show.take import Overheard, TakeWriter
from engine.show.take_log import header_of
from engine.sources.source import Source


@dataclass(frozen=True, kw_only=True, slots=True)
class Assembly:
    """What the loop plays."""

    source: Source
    deck: Deck
    desk: SceneDesk
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
    box: ControlBox,
    clock: Clock,
    notify: Callable[[str], None],
    releasing: ExitStack,
) -> Assembly:
    """Put a show together; `releasing` ends what goes on beside it. Raises ConfigError for a mapping, SinkError for the take."""

    def open_next(path: str) -> Backend:
        return open_enduring(path, config.backend, config.threads, notify, notify)

    modulators = _modulators(config, box, notify)
    deck = _deck(config.model, backend, open_next, box, modulators, clock, source.live, notify)
    desk = SceneDesk(Scenes(config.scenes), deck, box, glide=modulators.glide, live=source.live, notify=notify)
    releasing.callback(desk.close)
    take = None
    if config.take:
        # A show that is started again after a crash keeps a second take.
        folder = free_path(config.take)
        header = header_of(
            backend,
            source,
            model=config.model,
            date=WallClock.date(),
            threads=config.threads,
            settings={name: getattr(config, name) for name in SETTINGS},
            mappings=config.mappings,
        )
        take = TakeWriter(folder, header, live=source.live, notify=notify)
        take.open()
        notify(f"take     {folder}")
        releasing.callback(take.close)
        source = Overheard(source, take)
    rest = _collect_between_hops(clock, releasing) if source.live else go_on
    direction = Direction(
        modulator=modulators.step, display_modulator=modulators.display, desk=desk, witness=take, rest=rest
    )
    return Assembly(source=source, deck=deck, desk=desk, direction=direction)


def _collect_between_hops(clock: Clock, releasing: ExitStack) -> Callable[[float], None]:
    """Take the collection of garbage into the show's own hands; all that is loaded by now stays out of it."""
    garbage = Garbage(clock)
    releasing.callback(garbage.end)
    garbage.begin()
    return garbage.rest


def assemble_replay(
    take: Take, source: Source, backend: Backend, box: ReplayBox, clock: Clock, notify: Callable[[str], None]
) -> Assembly:
    """Put a show together that repeats a take. Raises ConfigError for a mapping that is not understood any more."""

    def open_next(path: str) -> Backend:
        return SameFaults(open_backend(path, take.header.backend, take.header.threads), box)

    parameters = tuple(box.parameters.values())
    modulators = _Modulators(parameters, dict(take.header.mappings), notify)
    deck = _deck(take.model, SameFaults(backend, box), open_next, box, modulators, clock, False, notify)
    desk = SceneDesk(Scenes(take.folder), deck, box, glide=modulators.glide, live=False, notify=notify)
    direction = Direction(modulator=modulators.step, display_modulator=modulators.display, desk=desk, replay=box)
    return Assembly(source=source, deck=deck, desk=desk, direction=direction)


def _modulators(config: LiveConfig, box: ControlBox, notify: Callable[[str], None]) -> _Modulators:
    return _Modulators(tuple(box.parameters.values()), dict(config.mappings), notify)


def _deck(
    path: str,
    backend: Backend,
    open_next: Callable[[str], Backend],
    box: ControlsBox,
    modulators: _Modulators,
    clock: Clock,
    live: bool,
    notify: Callable[[str], None],
) -> Deck:
    def adopt(parameters: tuple[Parameter, ...]) -> None:
        box.adopt(parameters)
        modulators.adopt(parameters)

    return Deck(
        backend,
        open_next,
        adopt=adopt,
        clock=clock,
        window_samples=window_samples(backend.card),
        path=path,
        live=live,
        notify=notify,
    )
