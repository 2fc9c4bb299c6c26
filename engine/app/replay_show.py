"""Builds the show that repeats a take."""

from __future__ import annotations

from engine.app.assembly import Beginning, ModelChoice, assemble, control
from engine.app.built_show import BuiltShow, Outputs
from engine.audio.source import Source
from engine.audio.window_buffer import window_samples
from engine.control.parameter_table import replayed_parameters
from engine.core.stop_signals import IsStopped
from engine.model.backend import Backend
from engine.model.backends.first_test import FirstTestWatch
from engine.model.backends.selection import open_backend
from engine.model.context.opening import ShowContext
from engine.model.rest import RestingBackend
from engine.output.film import FilmFormat
from engine.render.runtime import Runtime
from engine.render.steering import Steering
from engine.takes.former_sound import begins_at_rest, cleaner_of, conditioner_of
from engine.takes.replay import ReplayedControls, ReplayedFailures, Take, TakeSource


def build_replay(
    take: Take,
    source: Source,
    backend: Backend,
    store: ReplayedControls,
    runtime: Runtime,
    outputs: Outputs,
    film: FilmFormat | None = None,
    context: ShowContext | None = None,
) -> BuiltShow:
    """Build the show that repeats a take. Raises UserError for a mapping that this version does not understand and for the context."""
    looked_at = context or ShowContext(None)

    def open_next(path: str, is_stopped: IsStopped) -> Backend:
        watch = FirstTestWatch(lambda: is_stopped() or runtime.is_stopped())
        opened = open_backend(path, take.header.backend, take.header.threads, tell=runtime.notices.tell, watch=watch)
        return ReplayedFailures(begun(looked_at.give_to(opened, watch.is_stopped)), store)

    begun = RestingBackend if begins_at_rest(take.header) else _as_opened
    first = ReplayedFailures(begun(looked_at.give_to(backend, runtime.is_stopped)), store)
    model = ModelChoice(path=take.model, backend=first, open_next=open_next)
    layout = take.header.layout
    controllers = control(
        model, store, take.header.mappings, str(take.folder), runtime, layout.names, replayed_parameters
    )
    steering = Steering(store=store, show_controller=controllers.show_controller, replay=store)
    sinks, windows = outputs(controllers)
    show = assemble(
        source,
        controllers.switcher,
        sinks,
        steering,
        controllers.modulators,
        runtime,
        windows,
        layout,
        cleaner_of(take.header),
        conditioner_of(take.header, take.folder, window_samples(backend.card)),
        film,
        Beginning(
            earlier_hops=take.header.earlier_hops,
            lead_in_hops=take.header.lead_in_hops,
            lead_in_TC=TakeSource(take).lead_in(),
        ),
    )
    return BuiltShow(show=show, store=store, controllers=controllers)


def _as_opened(backend: Backend) -> Backend:
    return backend
