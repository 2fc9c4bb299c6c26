"""What the loops of a show share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.core.clock import Clock
from engine.core.notices import Notices
from engine.core.stop_signals import IsStopped, never_stopped
from engine.render.statistics import ShowStatistics


def nothing_to_say() -> str:
    """For a machine of which nothing is known."""
    return ""


def no_pause(spare_s: float) -> None:
    """Use no spare time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Runtime:
    """Time, figures and lines for the user."""

    clock: Clock
    statistics: ShowStatistics
    notices: Notices
    live: bool
    """Live, overload skips hops and a failure holds the last frame; offline every hop is stepped and failures are raised."""
    between_hops: Callable[[float], None] = no_pause
    """Called after each hop with the seconds that are left until the next."""
    has_early_steps: bool = False
    """Whether an onset between two hops is shown at once, by a step of its own."""
    of_other_programs: Callable[[], str] = nothing_to_say
    """What to say of other programs where the machine is too slow."""
    is_stopped: IsStopped = never_stopped
    """Whether the show was asked to end, for what takes long."""
