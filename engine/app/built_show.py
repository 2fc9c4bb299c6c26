"""A show as it is built, and what is needed besides to play it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.app.assembly import Controllers
from engine.app.show_steering import ShowSteering
from engine.control.parameter_store import ControlSource
from engine.output.sink import Sink, WindowSink
from engine.render.show import Show

Outputs = Callable[[Controllers], tuple[list[Sink], list[WindowSink]]]
"""Makes a show's sinks and windows once its controllers are there: an overlay tells of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BuiltShow:
    """A show, and what is needed besides to play it and to report on it."""

    show: Show
    store: ControlSource
    controllers: Controllers
    seconds: float | None = None
    """How much of the sound is played; None for all."""
    show_control: ShowSteering | None = None
    """What remotes steer beside parameters, in a show that remotes may steer."""
