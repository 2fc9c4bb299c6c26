"""Parts of a show that tests put together: sinks that collect, controls that stand still, clocks that are invented."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.app.assembly import Modulators, assemble
from engine.audio.conditioned_model import PlayingModel
from engine.audio.source import Source
from engine.control.parameter import Parameter
from engine.control.parameter_store import Applied, ControlSnapshot, ControlSource
from engine.control.parameter_table import parameters_for
from engine.core.clock import Clock
from engine.core.errors import SinkError
from engine.core.notices import Notices
from engine.model.backend import Backend
from engine.model.backends.onnx_cpu import open_model
from engine.model.session import Session
from engine.output.film import FilmFormat
from engine.output.frame import Frame, ShowFormat
from engine.output.sink import FrameRate, Sink
from engine.render.play import play
from engine.render.runtime import Runtime
from engine.render.show import Show
from engine.render.statistics import ShowStatistics
from engine.render.steering import Steering
from tests.engine.model.probe_model import CARD

DEVICE_BLOCKS = (1, 7, 160, 441, 4096)


class InventedClock:
    """Time passes only when somebody sleeps or a test says so."""

    def __init__(self) -> None:
        self.time_s = 1000.0

    def now_s(self) -> float:
        return self.time_s

    def sleep(self, duration_s: float) -> None:
        self.time_s += duration_s


class StandingControls:
    """Controls that change only when a test changes them."""

    def __init__(self, **values: float | int | bool) -> None:
        self.current: dict[str, float | int | bool] = dict(values)

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        return {parameter.name: parameter for parameter in parameters_for(CARD)}

    def values(self) -> Mapping[str, float | int | bool]:
        return dict(self.current)

    def take_snapshot(self, index: int) -> ControlSnapshot:
        return ControlSnapshot(self.values(), ())

    def find(self, name: str) -> Parameter | None:
        return self.parameters.get(name)

    def stamp(self, received_samples: Callable[[], int]) -> None:
        """Nothing happens here."""

    def watch(self, callback: Callable[[], None]) -> None:
        """Nothing happens here."""

    def replace_parameters(self, parameters: Iterable[Parameter]) -> None:
        """Nothing else is known here."""

    def set(self, name: str, given: object, *, clip: bool = True) -> Applied:
        raise AssertionError("a test sets `current`")


class CollectingSink:
    """Keeps every frame; fails at the one called `fails_at`; calls `on_frame` with each."""

    name = "collector"
    rate: FrameRate = "hop"
    with_effects = True
    standby = False
    lost_frames = 0

    def __init__(self, fails_at: int | None = None, on_frame: Callable[[Frame], None] = lambda frame: None) -> None:
        self.frames: list[Frame] = []
        self.show_format: ShowFormat | None = None
        self.closed = False
        self._fails_at = fails_at
        self.on_frame = on_frame

    def open(self, show: ShowFormat) -> None:
        self.show_format = show

    def wants(self, values: Mapping[str, float | int | bool]) -> bool:
        return True

    def show(self, frame: Frame) -> None:
        if frame.index == self._fails_at:
            raise SinkError("collector: the disk is full.")
        self.frames.append(frame)
        self.on_frame(frame)

    def close(self) -> None:
        self.closed = True


class CollectingWindow(CollectingSink):
    """A window that is closed once it has shown `until` frames."""

    name = "window"
    rate: FrameRate = "display"
    refresh_hz: float | None = None
    is_drawn_by_processor = may_be_eased = False

    def __init__(self, until: int) -> None:
        super().__init__()
        self._until = until
        self.threads: set[int] = set()

    def poll(self) -> bool:
        self.threads.add(threading.get_ident())
        return len(self.frames) < self._until


def show_of(
    source: Source,
    model: PlayingModel,
    sinks: Sequence[Sink],
    *,
    store: ControlSource,
    clock: Clock,
    stats: ShowStatistics | None = None,
    window: CollectingWindow | None = None,
    windows: Sequence[CollectingWindow] | None = None,
    notify: Callable[[str], None] = lambda line: None,
    mappings: Mapping[str, str] | None = None,
    film: FilmFormat | None = None,
    early_steps: bool = False,
    **steering: Any,
) -> Show:
    """Join parts of a show as the show builder does; `steering` may bring a recorder or a replay."""
    runtime = Runtime(
        clock=clock, statistics=stats or ShowStatistics(), notices=Notices(notify), live=source.live,
        has_early_steps=early_steps,
    )  # fmt: skip
    modulators = Modulators(tuple(store.parameters.values()), mappings or {}, notify)
    steering_of = Steering(store=store, **steering)
    shown = windows or ([window] if window else [])
    return assemble(source, model, sinks, steering_of, modulators, runtime, shown, film=film)


def show_sound(
    model: Path | Backend,
    source: Source,
    *,
    sinks: Sequence[CollectingSink] | None = None,
    controls: ControlSource | None = None,
    stop: threading.Event | None = None,
    seconds: float | None = None,
    **parts: Any,
) -> list[Frame]:
    """Play `source` and return the frames that the first sink was given; `parts` are those of `show_of`."""
    collectors = [CollectingSink()] if sinks is None else sinks
    session = Session(open_model(model, 1) if isinstance(model, Path) else model)
    show = show_of(source, session, collectors, store=controls or StandingControls(), **parts)
    play(show, stop or threading.Event(), seconds)
    return collectors[0].frames if collectors else []


def varied_sound(seconds: float, rate_hz: int, channels: int = 2) -> NDArray[np.float32]:
    """Return bursts of noise over a tone, different in each channel."""
    time_s = np.arange(round(seconds * rate_hz))[:, None] / rate_hz
    noise = np.random.default_rng(5).standard_normal((len(time_s), channels))
    loudness = 0.05 + 0.25 * (np.sin(2 * np.pi * 1.7 * time_s) > 0)
    return np.clip(loudness * noise + 0.2 * np.sin(2 * np.pi * 220 * time_s), -1, 1).astype(np.float32)
