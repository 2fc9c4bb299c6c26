"""What steers a show: parameters, scenes, and the take that records or replays it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from engine.audio.features.audio_features import AudioFeatures
from engine.control.parameter_store import ControlSnapshot, ControlSource
from engine.core.show_event import ShowEvent
from engine.render.pacing import Pick


class HopControl(Protocol):
    """Scenes, the playlist, and what other threads ask for; see engine/control/scenes/show_controller.py."""

    def attend(self, snapshot: ControlSnapshot, now_s: float, time_s: float, next_features: AudioFeatures) -> None: ...

    def show_events(self) -> tuple[ShowEvent, ...]: ...

    def repeat(self, show_event: ShowEvent) -> None: ...


class HopRecorder(Protocol):
    """Records all that the frames depend on, so that the show can be replayed; see engine/takes/recorder.py."""

    @property
    def is_recording(self) -> bool: ...

    def note(
        self,
        index: int,
        skipped_hops: int,
        snapshot: ControlSnapshot,
        failed: bool = False,
        show_events: Sequence[ShowEvent] = (),
        early_samples: Sequence[int] = (),
    ) -> None: ...


class ReplayedTake(Protocol):
    """The take that is replayed; see engine/takes/replay.py."""

    fails_now: bool

    def pick(self, received_samples: int, hop_samples: int, last_index: int, live: bool) -> Pick | None: ...

    def show_events(self, index: int) -> tuple[ShowEvent, ...]: ...

    def early_sample(self, received_samples: int, last_index: int) -> int | None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Steering:
    """The store is read once a hop; the rest may be missing."""

    store: ControlSource
    show_controller: HopControl | None = None
    recorder: HopRecorder | None = None
    replay: ReplayedTake | None = None
