"""A swap: a session that takes over at the next step, as it is planned, stored in a take and read from one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import ModelFileError
from engine.core.show_event import MODEL, STATE, ShowEvent
from engine.model.crossfade import CrossfadePlan
from engine.model.session import Controls, Session, Snapshot

# H W C frame rows, columns, channels


@dataclass(frozen=True, slots=True)
class PendingSwap:
    """A session that plays from the next step on."""

    session: Session
    path: str
    plan: CrossfadePlan
    show_event: ShowEvent
    """The swap as a take stores it."""


@dataclass(slots=True)
class RunningCrossfade:
    """The session that played before, while its frame is visible or it may be needed again."""

    old: Session
    path: str
    own_controls: Controls
    """The control inputs of the old model at the swap; the parameter store may no longer have them."""
    plan: CrossfadePlan
    begin: int
    held_HWC: NDArray[np.uint8] | None
    """The old frame, when the old model is no longer stepped."""


def model_swap(session: Session, path: str, state: Snapshot | None, plan: CrossfadePlan) -> PendingSwap:
    """Return the swap to another model, which begins in `state` or in its initial state."""
    sha256 = session.card.graph_sha256
    event = {"kind": MODEL, "model": path, "graph_sha256": sha256, "state": state, **_plan_values(plan)}
    return PendingSwap(session, path, plan, event)


def state_swap(session: Session, path: str, state: Snapshot, plan: CrossfadePlan) -> PendingSwap:
    """Return the swap of the playing model to another state."""
    return PendingSwap(session, path, plan, {"kind": STATE, "state": state, **_plan_values(plan)})


def state_event(state: Snapshot) -> ShowEvent:
    """Return how a take stores that a show goes on from `state` at once."""
    return {"kind": STATE, "state": state, **_plan_values(CrossfadePlan(0, True))}


def stored_plan(show_event: Mapping[str, Any]) -> CrossfadePlan:
    """Return the plan of a swap that is stored in a take."""
    return CrossfadePlan(int(show_event["fade_hops"]), bool(show_event["is_held"]))


def check_stored_model(show_event: Mapping[str, Any], found_sha256: str) -> None:
    """Raise ModelFileError unless the model file of a stored swap still has the graph that played."""
    stored = str(show_event["graph_sha256"])
    if found_sha256 != stored:
        raise ModelFileError(
            f"{show_event['model']} has the checksum {found_sha256[:12]}… and the take was made with {stored[:12]}…; "
            "give the file that was played."
        )


def _plan_values(plan: CrossfadePlan) -> dict[str, Any]:
    return {"fade_hops": plan.hops, "is_held": plan.is_held}
