"""Builds a show from its configuration, in one place for live, render and replay.

with ExitStack() as releasing:
    built = ShowBuilder(command, monitor, say, releasing).live()
    play(built.show, stop, built.seconds)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial

from engine.app import openers
from engine.app.assembly import Controllers, ModelChoice, assemble, control
from engine.app.built_show import BuiltShow, Outputs
from engine.app.choices import choose_inputs, choose_outputs, unless_stopped
from engine.app.command_line import ParsedCommand
from engine.app.config import LiveConfig
from engine.app.input_switch import InputSwitch
from engine.app.remotes import OFF, RemoteParts, open_remotes
from engine.app.replay_show import build_replay
from engine.app.report import film_line, input_levels, replay_lines, start_report
from engine.app.show_steering import ShowSteering
from engine.app.sink_registry import WEB, WINDOW, open_sinks
from engine.app.takes import Takes
from engine.app.telemetry import telemetry_of
from engine.app.tempo import open_tempo
from engine.audio.conditioning import Conditioner
from engine.audio.input_layout import UNNAMED, InputLayout
from engine.audio.source import Source
from engine.audio.sources.inputs import OpenInputs, open_inputs
from engine.audio.sources.paced import PacedSource
from engine.audio.sources.registry import open_source
from engine.audio.sources.web import BrowserSound
from engine.control.left_out import left_out_controls
from engine.control.parameter_store import ControlSource, ParameterStore
from engine.control.parameter_table import ShowValues, replayed_parameters
from engine.control.remotes.remote_access import RemoteAccess
from engine.core.clock import Clock, WallClock
from engine.core.errors import ConfigError
from engine.core.notice_log import NoticeLog
from engine.core.notices import Notices
from engine.core.stop_signals import IsStopped, never_stopped
from engine.model.backend import Backend
from engine.model.backends.first_test import FirstTestWatch
from engine.model.backends.selection import open_backend, open_with_fallback
from engine.model.context.opening import ShowContext
from engine.model.rest import RestingBackend
from engine.ops.gc_schedule import GcSchedule
from engine.ops.health_monitor import HealthMonitor
from engine.ops.other_programs import OtherPrograms
from engine.output.film import FilmFormat, FilmSink
from engine.output.preview.preview_sink import PreviewSink
from engine.output.progress import ProgressBar, SharedProgressBar
from engine.output.sink import Sink, WindowSink
from engine.render.latency_budget import measure_budget
from engine.render.runtime import Runtime, no_pause, nothing_to_say
from engine.render.steering import Steering
from engine.takes.recorder import RecordedSource
from engine.takes.replay import ReplayedControls, TakeSource, differences, read_take


def build_from_source(
    config: LiveConfig,
    backend: Backend,
    source: Source,
    store: ControlSource,
    runtime: Runtime,
    outputs: Outputs,
    releasing: ExitStack,
    layout: InputLayout = UNNAMED,
    film: FilmFormat | None = None,
    context: ShowContext | None = None,
) -> BuiltShow:
    """Build the show of a source, live or not; `context` is one that others look at too. Raises UserError."""
    notify = runtime.notices.tell
    looked_at = context or openers.open_context(config, backend.card, runtime.live, notify)
    releasing.callback(looked_at.close)

    def open_next(path: str, is_stopped: IsStopped) -> Backend:
        watch = FirstTestWatch(lambda: is_stopped() or runtime.is_stopped())
        open_one = open_with_fallback if runtime.live else open_backend
        opened = open_one(path, config.backend, config.threads, notify, notify, watch)
        return RestingBackend(looked_at.give_to(opened, watch.is_stopped))

    first = RestingBackend(looked_at.give_to(backend, runtime.is_stopped))
    model = ModelChoice(path=config.model, backend=first, open_next=open_next)
    controllers = control(model, store, config.mappings, config.scenes, runtime, layout.names)
    releasing.callback(controllers.switcher.close)
    releasing.callback(controllers.scene_controller.close)
    _begin_playlist(controllers, notify)
    conditioner = Conditioner(backend.card.sample_rate_hz, backend.card.hop_samples)
    takes = Takes(config, OpenInputs(source, layout), controllers, conditioner, runtime, looked_at.sha256)
    take = takes.open(bool(store.values().get(ShowValues.record_take.name, False)))
    if take:
        releasing.callback(take.close)
    steering = Steering(store=store, show_controller=controllers.show_controller, recorder=take)
    sinks, windows = outputs(controllers)
    show = assemble(
        RecordedSource(source, take) if take else source,
        controllers.switcher,
        sinks,
        steering,
        controllers.modulators,
        runtime,
        windows,
        layout,
        conditioner=conditioner,
        film=film,
    )
    return BuiltShow(show=show, store=store, controllers=controllers, seconds=config.seconds)


@dataclass(frozen=True, slots=True)
class SharedParts:
    """What several renderings use one after the other."""

    backend: Backend
    context: ShowContext
    progress: SharedProgressBar


class ShowBuilder:
    """Builds the show that was asked for. `releasing` ends what goes on beside it, once it is over.

    Where `is_stopped` says so, the first test of a model and the wait for an address are broken off, and StoppedError raised.
    """

    def __init__(
        self,
        command: ParsedCommand,
        monitor: HealthMonitor,
        say: Callable[[str], None],
        releasing: ExitStack,
        is_stopped: IsStopped = never_stopped,
        clock: Clock | None = None,
    ) -> None:
        self._command = command
        self._watch = FirstTestWatch(is_stopped, monitor.allow_start)
        self._config = command.resolved.config
        self._monitor = monitor
        self._say = say
        self._releasing = releasing
        self._clock = clock or WallClock()
        self._notice_log = NoticeLog(say, self._clock)
        self._browser_sound = BrowserSound()
        self._preview: PreviewSink | None = None

    def live(self) -> BuiltShow:
        """Build the show that its inputs play. Raises UserError for what cannot begin."""
        config = choose_outputs(self._config, self._say)
        inputs = choose_inputs(config, self._say, self._watch.is_stopped, self._browser_sound)
        self._releasing.callback(inputs.source.close)
        notify = self._say
        if inputs.source.live:
            told = openers.supervise(config, inputs.source, self._monitor, self._say, self._releasing)
            self._notice_log = NoticeLog(told, self._clock)
            notify = self._notice_log.tell
        return self._of_inputs(config, inputs, notify)

    def rendering(self, sounds: tuple[str, ...], output: str, shared: SharedParts | None = None) -> BuiltShow:
        """Build the show of a sound file, or of several with names, written to `output` as fast as it goes.

        Raises UserError for what cannot begin.

        `shared` are the parts that several renderings have in common, whose start is told once and not here.
        """
        open_one = partial(open_source, live=False, track=self._config.track)
        inputs = open_inputs(sounds, self._config.model_input, unless_stopped(open_one, self._watch.is_stopped))
        self._releasing.callback(inputs.source.close)
        return self._of_inputs(replace(self._config, source=sounds, out=(output,)), inputs, self._say, shared)

    def replay(self, folder: str, output: str) -> BuiltShow:
        """Build the show that a take recorded, written to `output` or played in the window. Raises UserError for what cannot begin."""
        moved_to = self._config.model if self._command.resolved.origins.get("model") else None
        take = read_take(folder, moved_to)
        backend = open_backend(take.model, take.header.backend, take.header.threads, tell=self._say, watch=self._watch)
        for line in differences(take, backend):
            self._say(line)
        sound, config, layout = TakeSource(take), self._config, take.header.layout
        store = ReplayedControls(take, sound, replayed_parameters(backend.card))
        source: Source = PacedSource(sound, self._clock) if output == WINDOW else sound
        inputs = OpenInputs(source, layout)
        listening = openers.listen(config, inputs, lambda: config.controls, self._clock, self._say, self._releasing)
        if listening:
            source = listening.source()
            self._say(listening.align(measure_budget(backend, source, self._clock).typical_s()))

        def outputs(controllers: Controllers) -> tuple[list[Sink], list[WindowSink]]:
            if output == WINDOW:
                # The take alone says what is shown; keys end it and change the window.
                keys = ParameterStore(store.parameters.values(), notify=self._say)
                return [ProgressBar(take.seconds)], [openers.open_window_sink(config, keys, notify=self._say)]
            return [ProgressBar(take.seconds), *self._film_sinks((output,), "give another file to --replay")], []

        if output != WINDOW:
            for line in replay_lines(take, backend, output, self._command.film):
                self._say(line)
        context = openers.open_replayed_context(config, take, backend.card, output, self._say)
        runtime = self._runtime(False, self._say)
        return build_replay(take, source, backend, store, runtime, outputs, self._command.film, context)

    def _of_inputs(
        self, config: LiveConfig, inputs: OpenInputs, notify: Callable[[str], None], shared: SharedParts | None = None
    ) -> BuiltShow:
        # A take that begins with the show can be ended like any other.
        controls = (
            {**config.controls, ShowValues.record_take.name: True}
            if config.take and inputs.source.live
            else config.controls
        )
        store = ParameterStore(self._command.parameters, controls, notify)
        listening = openers.listen(config, inputs, store.values, self._clock, notify, self._releasing)
        input_switch = None if self._command.render else InputSwitch(config, inputs, self._clock, self._browser_sound)
        played = input_switch.source if input_switch else inputs.source
        source, layout = listening.source() if listening else played, inputs.layout
        # "auto" says where it stopped and why.
        selected: list[str] = []
        backend = (
            shared.backend if shared else openers.open_model(config, source.live, selected.append, notify, self._watch)
        )

        def outputs(controllers: Controllers) -> tuple[list[Sink], list[WindowSink]]:
            progress = shared.progress if shared else None
            return self._outputs(config, source, store, controllers, notify, progress)

        runtime = self._runtime(source.live, notify)
        film = self._command.film if self._command.render else None
        context = shared.context if shared else None
        built = build_from_source(
            config, backend, source, store, runtime, outputs, self._releasing, layout, film, context
        )
        self._monitor.describe_levels = lambda: input_levels(built.show.capture.latest())
        self._monitor.describe_conditioning = built.show.conditioning
        take = built.show.recorder
        if take:
            self._monitor.is_recording_take = lambda: take.is_recording
        if shared:
            return built
        remotes = [OFF]
        if input_switch:
            access = RemoteAccess(store, config.remote_lock, notify, left_out=left_out_controls(backend.card))
            show_control = ShowSteering(config, built.controllers, input_switch, access)
            built = replace(built, show_control=show_control)
            remotes = self._open_remotes(config, access, built, show_control)
        align = listening.align if listening else None
        shown_outputs: Sequence[str] = config.out
        if film:
            length_s = openers.duration_s(config.source, config.seconds)
            shown_outputs = [film_line(config.out[0], backend.card, film, length_s)]
        for line in start_report(backend, selected, inputs, shown_outputs, remotes, align):
            notify(line)
        return built

    def _outputs(
        self,
        config: LiveConfig,
        source: Source,
        store: ParameterStore,
        controllers: Controllers,
        notify: Callable[[str], None],
        progress: ProgressBar | None = None,
    ) -> tuple[list[Sink], list[WindowSink]]:
        monitor = self._monitor
        monitor.describe_source = lambda: openers.source_state(source)
        # The switcher's, since another model may come to play.
        monitor.describe_backend = lambda: controllers.switcher.backend.description
        monitor.has_window = WINDOW in config.out
        overlay = openers.overlay_of(monitor, controllers, self._clock)
        windows = list[WindowSink]()
        if monitor.has_window:

            def is_recording_take() -> bool:
                # What records comes later than the window.
                return monitor.is_recording_take()

            windows.append(openers.open_window_sink(config, store, overlay, is_recording_take, notify))
        if source.live and config.web is not None:
            self._preview = PreviewSink(is_output=WEB in config.out)
        preview = [self._preview] if self._preview else []
        if source.live:
            return [*open_sinks(config.out), *preview, openers.recorder(config, notify)], windows
        way_out = "render into another folder" if progress else "give another file to --render"
        bar = progress or ProgressBar(openers.duration_s(config.source, config.seconds))
        return [bar, *self._film_sinks(config.out, way_out)], windows

    def _film_sinks(self, outputs: Sequence[str], way_out: str) -> list[Sink]:
        """Return the outputs of a rendering or a replay, whose files are as the film was asked to be."""
        return [FilmSink(sink, self._command.film) for sink in open_sinks(outputs, way_out)]

    def _open_remotes(
        self, config: LiveConfig, access: RemoteAccess, built: BuiltShow, show_control: ShowSteering
    ) -> list[str]:
        """Start the remotes and return the lines that say where they are."""
        capture, store = built.show.capture, built.store
        tempo = open_tempo(config, access, store, capture, self._clock, self._releasing)
        recorder = built.show.recorder
        telemetry = telemetry_of(capture, store, built.controllers, self._monitor, self._clock, tempo, recorder)
        parts = RemoteParts(
            config=config,
            access=access,
            telemetry=telemetry,
            notice_log=self._notice_log,
            show_control=show_control,
            preview=self._preview,
            browser_sound=self._browser_sound,
            card=lambda: built.controllers.switcher.card,
            monitor=self._monitor,
            clock=self._clock,
            midi_clock=tempo.midi,
            releasing=self._releasing,
        )
        return [*open_remotes(parts), *tempo.lines]

    def _runtime(self, live: bool, notify: Callable[[str], None]) -> Runtime:
        between_hops, of_other_programs = no_pause, nothing_to_say
        if live:
            of_other_programs = OtherPrograms(self._clock).sentence
            # All that is loaded by now stays out of garbage collection, which happens between hops from now on.
            gc_schedule = GcSchedule(self._clock)
            self._releasing.callback(gc_schedule.stop)
            gc_schedule.start()
            between_hops = gc_schedule.collect
        return Runtime(
            clock=self._clock,
            statistics=self._monitor,
            notices=Notices(notify),
            live=live,
            between_hops=between_hops,
            has_early_steps=live and self._config.early_step,
            of_other_programs=of_other_programs,
            is_stopped=self._watch.is_stopped,
        )


def _begin_playlist(controllers: Controllers, notify: Callable[[str], None]) -> None:
    """Take the playlist that lies beside the scenes; without an answer of the disk the show begins without one."""
    try:
        controllers.show_controller.replace_playlist(controllers.library.playlist())
    except ConfigError as error:
        notify(str(error))
