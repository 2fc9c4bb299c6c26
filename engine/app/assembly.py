"""Joins the parts of a show: controllers first, then capture, loops and outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.audio.capture import AudioCapture
from engine.audio.conditioned_model import ConditionedModel, PlayingModel
from engine.audio.conditioning import Conditioner
from engine.audio.input_layout import UNNAMED, InputLayout
from engine.audio.input_mix import film_channels
from engine.audio.source import Source
from engine.audio.window_buffer import WindowBuffer, window_samples
from engine.control.modulation.modulator import Modulator
from engine.control.parameter import Parameter
from engine.control.parameter_store import ControlSource
from engine.control.parameter_table import parameters_for
from engine.control.scenes.scene_controller import SceneController
from engine.control.scenes.scene_files import Scenes
from engine.control.scenes.scene_library import SceneLibrary
from engine.control.scenes.show_controller import ShowController
from engine.core.stop_signals import IsStopped
from engine.media.cleaning import SoundCleaner
from engine.model.backend import Backend
from engine.model.card import ModelCard
from engine.model.loading import OpenModel
from engine.model.switcher import ModelSwitcher
from engine.output.film import FilmFormat
from engine.output.frame import ShowFormat
from engine.output.sink import Sink, WindowSink
from engine.render.delivery import FrameDelivery
from engine.render.film_delivery import FilmDelivery
from engine.render.present_loop import PresentLoop
from engine.render.runtime import Runtime
from engine.render.show import Show
from engine.render.sink_group import SinkGroup
from engine.render.steering import Steering
from engine.render.step_loop import StepLoop


@dataclass(frozen=True, kw_only=True, slots=True)
class Beginning:
    """What went before a show: nothing, unless it replays a take that was begun while the show played."""

    earlier_hops: int = 0
    lead_in_hops: int = 0
    """How many of them were heard, with the sound `lead_in_TC` [T, C] at the source's rate."""
    lead_in_TC: NDArray[np.float32] | None = None

    def lead_into(self, window_buffer: WindowBuffer) -> None:
        """Let the first windows reach back into that sound."""
        if self.lead_in_TC is not None:
            window_buffer.lead_in(self.lead_in_TC, self.lead_in_hops)


class Modulators:
    """A modulator for the step loop and one for each present loop, which follow the same model and glides."""

    def __init__(
        self,
        parameters: Sequence[Parameter],
        mappings: Mapping[str, str],
        notify: Callable[[str], None],
        sound_inputs: Sequence[str] = (),
    ) -> None:
        """`sound_inputs` are the names of the show's inputs. Raises ConfigError for a mapping that is not understood."""
        self._parameters, self._mappings = tuple(parameters), dict(mappings)
        self._sound_inputs = tuple(sound_inputs)
        self.of_steps = Modulator(self._parameters, self._mappings, notify, self._sound_inputs)
        self._all = [self.of_steps]

    @property
    def mappings(self) -> Mapping[str, str]:
        """The expressions by the parameter that they drive: the same mapping until one changes."""
        return self._mappings

    def check_mapping(self, parameter: str, expression: str) -> None:
        """Raise ConfigError with what is wrong with an expression."""
        Modulator(self._parameters, {parameter: expression}, None, self._sound_inputs)

    def set_mapping(self, parameter: str, expression: str, may_wait: bool = False) -> None:
        """Drive a parameter by an expression from now on; an empty one leaves it alone. `may_wait`: see Modulator. Raises ConfigError."""
        others = {name: text for name, text in self._mappings.items() if name != parameter}
        mappings = {**others, parameter: expression} if expression else others
        for modulator in self._all:
            modulator.replace_mappings(mappings, may_wait)
        self._mappings = mappings

    def new(self) -> Modulator:
        """Return one more, whose faults are not told: the step loop's tells them."""
        self._all.append(Modulator(self._parameters, self._mappings, None, self._sound_inputs))
        return self._all[-1]

    def replace_parameters(self, parameters: Sequence[Parameter]) -> None:
        self._parameters = tuple(parameters)
        for modulator in self._all:
            modulator.replace_parameters(parameters)

    def glide(self, duration_s: float) -> None:
        for modulator in self._all:
            modulator.glide(duration_s)


def assemble(
    source: Source,
    model: PlayingModel,
    outputs: Sequence[Sink],
    steering: Steering,
    modulators: Modulators,
    runtime: Runtime,
    windows: Sequence[WindowSink] = (),
    layout: InputLayout = UNNAMED,
    cleaner: SoundCleaner | None = None,
    conditioner: Conditioner | None = None,
    film: FilmFormat | None = None,
    beginning: Beginning | None = None,
) -> Show:
    """Join the parts of a show. Offline, and live without an output at the display's rate, it needs no second thread.

    `cleaner` and `conditioner` make the model's sound: those of the take that is replayed, or of the take that may be recorded. `film`
    says what files get that are written offline, `beginning` what went before a show that does not begin with its first hop.
    """
    card, beginning = model.card, beginning or Beginning()
    conditioner = conditioner or Conditioner(card.sample_rate_hz, card.hop_samples)
    conditioned = ConditionedModel(model, conditioner, beginning.earlier_hops)
    window_buffer = WindowBuffer(card, source.rate_hz, source.channels, layout, cleaner)
    beginning.lead_into(window_buffer)
    runtime.statistics.resampler_delay_s = window_buffer.resampler_delay_s
    capture = AudioCapture(source, window_buffer, runtime.clock, runtime.notices, layout)
    steering.store.stamp(lambda: capture.received_samples)
    at_display_rate = [sink for sink in outputs if sink.rate == "display"] if runtime.live else []
    in_windows: list[tuple[Sequence[WindowSink], Sequence[Sink]]] = [(windows, ())] if windows and runtime.live else []
    groups = [*in_windows, *(((), (sink,)) for sink in at_display_rate)]
    present_loops = [
        PresentLoop(capture, steering.store, modulators.new(), runtime, shown, sinks) for shown, sinks in groups
    ]
    films = [sink for sink in outputs if sink.rate == "file"] if film and film.differs_from(card) else []
    at_hop_rate = [sink for sink in outputs if sink not in at_display_rate and sink not in films]
    delivery = FrameDelivery(
        at_hop_rate if runtime.live else [*at_hop_rate, *windows],
        [loop.latest_frame for loop in present_loops],
        runtime,
        _film_delivery(film, SinkGroup(films, runtime), capture, modulators) if film and films else None,
    )
    return Show(
        source=source,
        capture=capture,
        step_loop=StepLoop(conditioned, capture, modulators.of_steps, steering, delivery, runtime),
        outputs=(*outputs, *windows),
        windows=tuple(windows),
        present_loops=tuple(present_loops),
        format=ShowFormat(
            title=source.name,
            width=card.width,
            height=card.height,
            fps=card.fps,
            sound_rate_hz=source.rate_hz,
            sound_channels=film_channels(layout, source.channels),
            live=source.live,
        ),
        runtime=runtime,
        recorder=steering.recorder,
        conditioning=conditioned.conditioning,
    )


def _film_delivery(film: FilmFormat, group: SinkGroup, capture: AudioCapture, modulators: Modulators) -> FilmDelivery:
    assert film.fps, "only a rate makes a film differ"
    return FilmDelivery(
        group,
        film.fps,
        lambda time_s: capture.features_at(round(time_s * capture.rate_hz)),
        modulators.new(),
        is_blended=film.is_blended,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelChoice:
    """The model that a show begins with, and how others are opened."""

    path: str
    backend: Backend
    open_next: OpenModel


@dataclass(frozen=True, kw_only=True, slots=True)
class Controllers:
    """What changes the model and the parameters while a show runs."""

    modulators: Modulators
    switcher: ModelSwitcher
    scene_controller: SceneController
    show_controller: ShowController
    library: SceneLibrary


def control(
    model: ModelChoice,
    store: ControlSource,
    mappings: Mapping[str, str],
    scenes: str,
    runtime: Runtime,
    sound_inputs: Sequence[str] = (),
    parameters_of: Callable[[ModelCard], tuple[Parameter, ...]] = parameters_for,
) -> Controllers:
    """Make the controllers of a show whose scenes lie in the folder `scenes`. Raises ConfigError for a faulty mapping."""
    notify = runtime.notices.tell
    modulators = Modulators(tuple(store.parameters.values()), mappings, notify, sound_inputs)

    def open_next(path: str, is_stopped: IsStopped) -> Backend:
        backend = model.open_next(path, is_stopped)
        # Refuses a model whose controls take the engine's names, before it plays.
        parameters_for(backend.card)
        return backend

    def follow(card: ModelCard) -> None:
        parameters = parameters_of(card)
        store.replace_parameters(parameters)
        modulators.replace_parameters(parameters)

    switcher = ModelSwitcher(
        model.backend,
        open_next,
        on_model=follow,
        clock=runtime.clock,
        window_samples=window_samples(model.backend.card),
        path=model.path,
        live=runtime.live,
        notify=notify,
    )
    files = Scenes(scenes)
    scene_controller = SceneController(files, switcher, store, glide=modulators.glide, live=runtime.live, notify=notify)
    return Controllers(
        modulators=modulators,
        switcher=switcher,
        scene_controller=scene_controller,
        show_controller=ShowController(scene_controller, modulators.set_mapping, notify),
        library=SceneLibrary(files, notify),
    )
