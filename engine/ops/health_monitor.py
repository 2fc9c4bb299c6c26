"""The health of a running show: when it last made and showed a frame, how old those frames were, whether it is alive."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from engine.core.clock import Clock
from engine.render.statistics import ShowStatistics

STUCK_S = 3.0
"""A live show without a new frame for so long is stuck. A lost sound device is no reason: silence has frames too."""
START_WITHIN_S = 60.0
"""The first frame may take so long: some backends compile when they load."""
RECENT_S = 1.0
_FRAMES_REMEMBERED = 512


class FrameTime(NamedTuple):
    """When a frame was made or shown, and the age of its newest sample then."""

    at_s: float
    age_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class HealthReport:
    """What `/health` answers."""

    alive: bool
    reason: str
    """Why the show is not alive; empty when it is."""
    uptime_s: float
    last_frame_s: float | None
    """Time since the last frame was made."""
    last_shown_s: float | None
    fps: float
    """Frames made in the last second."""
    age_ms: float | None
    """Median age of these frames when made; None without any."""
    shown_age_ms: float | None
    hops: int
    steps: int
    skipped_hops: int
    failed_steps: int
    dropped_samples: int
    lost_frames: Mapping[str, int]
    source: str
    levels: Mapping[str, float]
    """The level of each named input, 0 to 1."""
    backend: str
    rss_mib: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields ready for JSON."""
        return asdict(self)


class HealthMonitor(ShowStatistics):
    """Show statistics that also record the times of the newest frames. `report` is safe from any thread."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._started_s = clock.now_s()
        self._start_within_s = START_WITHIN_S
        self._made: deque[FrameTime] = deque(maxlen=_FRAMES_REMEMBERED)
        self._shown: deque[FrameTime] = deque(maxlen=_FRAMES_REMEMBERED)
        self.has_window = False
        """Whether frames must also be shown for the show to be alive."""
        self.describe_source: Callable[[], str] = lambda: ""
        self.describe_levels: Callable[[], Mapping[str, float]] = dict
        self.describe_backend: Callable[[], str] = lambda: ""
        self.describe_conditioning: Callable[[], str] = lambda: ""
        """What happens to the sound on its way into the model."""
        self.is_recording_take: Callable[[], bool] = lambda: False

    def add_frame(self, skipped_hops: int, age_s: float | None, timings_s: Mapping[str, float]) -> None:
        super().add_frame(skipped_hops, age_s, timings_s)
        self._made.append(FrameTime(self._clock.now_s(), age_s or 0.0))

    def add_shown(self, age_s: float | None) -> None:
        super().add_shown(age_s)
        self._shown.append(FrameTime(self._clock.now_s(), age_s or 0.0))

    def allow_start(self, seconds: float) -> None:
        """Let the first frame take so much longer, counted from now, than it may take anyway."""
        self._start_within_s = self._clock.now_s() - self._started_s + seconds + START_WITHIN_S

    def report(self, now_s: float) -> HealthReport:
        """Return the health at `now_s`."""
        # list() copies a deque atomically.
        made, shown = list(self._made), list(self._shown)
        last_frame_s = now_s - made[-1].at_s if made else None
        last_shown_s = now_s - shown[-1].at_s if shown else None
        uptime_s = now_s - self._started_s
        reason = stall_reason(uptime_s, last_frame_s, last_shown_s, self.has_window, self._start_within_s)
        recent = recent_frames(made, now_s)
        return HealthReport(
            alive=not reason,
            reason=reason,
            uptime_s=round(uptime_s, 3),
            last_frame_s=_rounded(last_frame_s),
            last_shown_s=_rounded(last_shown_s),
            fps=round(len(recent) / RECENT_S, 2),
            age_ms=_median_ms(recent),
            shown_age_ms=_median_ms(recent_frames(shown, now_s)),
            hops=self.hops,
            steps=self.steps,
            skipped_hops=self.skipped_hops,
            failed_steps=self.failed_steps,
            dropped_samples=self.dropped_samples,
            lost_frames=dict(self.lost_frames),
            source=self.describe_source(),
            levels={name: round(level, 3) for name, level in self.describe_levels().items()},
            backend=self.describe_backend(),
            rss_mib=resident_mib(),
        )


def stall_reason(
    uptime_s: float,
    last_frame_s: float | None,
    last_shown_s: float | None,
    has_window: bool,
    start_within_s: float = START_WITHIN_S,
) -> str:
    """Return why a show with these times since its last frames is not alive; empty when it is."""
    if last_frame_s is None:
        return "" if uptime_s < start_within_s else f"no frame was made in the first {start_within_s:.0f} s"
    if last_frame_s > STUCK_S:
        return f"no frame was made for {last_frame_s:.1f} s"
    if not has_window:
        return ""
    if last_shown_s is None:
        return "" if uptime_s < start_within_s else f"no frame was shown in the first {start_within_s:.0f} s"
    return f"no frame was shown for {last_shown_s:.1f} s" if last_shown_s > STUCK_S else ""


def recent_frames(frames: Sequence[FrameTime], now_s: float) -> list[FrameTime]:
    """Return the frames of the last RECENT_S."""
    return [frame for frame in frames if now_s - frame.at_s < RECENT_S]


def resident_mib() -> float | None:
    """Return the resident memory of this process on Linux; None elsewhere."""
    if sys.platform != "linux":
        return None
    try:
        # The second number counts resident pages.
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        # The process can open no more files; the rest of the report is still true.
        return None
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 2)


def _median_ms(frames: Sequence[FrameTime]) -> float | None:
    return round(1e3 * median(frame.age_s for frame in frames), 3) if frames else None


def _rounded(duration_s: float | None) -> float | None:
    return None if duration_s is None else round(duration_s, 3)
