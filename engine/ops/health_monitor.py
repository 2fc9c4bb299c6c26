"""How a show is doing right now: when it last made and showed a picture, how old those were, and whether that is alive."""

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
"""A live show without a new picture for so long is stuck: a lost sound device is silence, which has pictures too."""
START_WITHIN_S = 60.0
"""The first picture may take so long: libraries compile on some cards."""
RECENT_S = 1.0
_MOMENTS = 512


class Moment(NamedTuple):
    """One picture: when it was handed on or shown, and how old its newest sample was then."""

    at_s: float
    age_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class HealthReport:
    """What a watcher is told. Times without a unit in the name do not occur."""

    alive: bool
    reason: str
    """Why it is not alive; empty when it is."""
    uptime_s: float
    last_frame_s: float | None
    """Since the last picture was handed on."""
    last_shown_s: float | None
    fps: float
    """Pictures handed on in the last second."""
    age_ms: float | None
    """Median age of those when handed on; None when there were none."""
    shown_age_ms: float | None
    hops: int
    steps: int
    skipped_hops: int
    failed_steps: int
    dropped_samples: int
    lost_frames: Mapping[str, int]
    source: str
    backend: str
    rss_mib: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return asdict(self)


class HealthMonitor(ShowStatistics):
    """The statistics of a show that also remember when they were last added to. Any thread may ask."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._started_s = clock.now_s()
        self._handed: deque[Moment] = deque(maxlen=_MOMENTS)
        self._shown: deque[Moment] = deque(maxlen=_MOMENTS)
        self.has_window = False
        """Whether pictures must also be shown for the show to be alive."""
        self.describe_source: Callable[[], str] = lambda: ""
        self.describe_backend: Callable[[], str] = lambda: ""

    def add_frame(self, skipped_hops: int, age_s: float | None, timings_s: Mapping[str, float]) -> None:
        super().add_frame(skipped_hops, age_s, timings_s)
        self._handed.append(Moment(self._clock.now_s(), age_s or 0.0))

    def add_shown(self, age_s: float | None) -> None:
        super().add_shown(age_s)
        self._shown.append(Moment(self._clock.now_s(), age_s or 0.0))

    def report(self, now_s: float) -> HealthReport:
        """Return how the show is doing at `now_s`."""
        # list() copies a deque in one go, whatever other threads do.
        handed, shown = list(self._handed), list(self._shown)
        last_frame_s = now_s - handed[-1].at_s if handed else None
        last_shown_s = now_s - shown[-1].at_s if shown else None
        uptime_s = now_s - self._started_s
        reason = complaint(uptime_s, last_frame_s, last_shown_s, self.has_window)
        fresh = recent(handed, now_s)
        return HealthReport(
            alive=not reason,
            reason=reason,
            uptime_s=round(uptime_s, 3),
            last_frame_s=_rounded(last_frame_s),
            last_shown_s=_rounded(last_shown_s),
            fps=round(len(fresh) / RECENT_S, 2),
            age_ms=_median_ms(fresh),
            shown_age_ms=_median_ms(recent(shown, now_s)),
            hops=self.hops,
            steps=self.steps,
            skipped_hops=self.skipped_hops,
            failed_steps=self.failed_steps,
            dropped_samples=self.dropped_samples,
            lost_frames=dict(self.lost_frames),
            source=self.describe_source(),
            backend=self.describe_backend(),
            rss_mib=resident_mib(),
        )


def complaint(uptime_s: float, last_frame_s: float | None, last_shown_s: float | None, has_window: bool) -> str:
    """Return why a show with these times since its last pictures is not alive; empty when it is."""
    if last_frame_s is None:
        return "" if uptime_s < START_WITHIN_S else f"no picture was made in the first {START_WITHIN_S:g} s"
    if last_frame_s > STUCK_S:
        return f"no picture was made for {last_frame_s:.1f} s"
    if not has_window:
        return ""
    if last_shown_s is None:
        return "" if uptime_s < START_WITHIN_S else f"no picture was shown in the first {START_WITHIN_S:g} s"
    return f"no picture was shown for {last_shown_s:.1f} s" if last_shown_s > STUCK_S else ""


def recent(moments: Sequence[Moment], now_s: float) -> list[Moment]:
    """Return the moments of the last RECENT_S."""
    return [moment for moment in moments if now_s - moment.at_s < RECENT_S]


def resident_mib() -> float | None:
    """Return the memory this process holds, where the system says so without a library."""
    if sys.platform != "linux":
        return None
    try:
        # Resident pages are the second number.
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        # No file can be opened any more; who watches is told the rest.
        return None
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 2)


def _median_ms(moments: Sequence[Moment]) -> float | None:
    return round(1e3 * median(moment.age_s for moment in moments), 3) if moments else None


def _rounded(duration_s: float | None) -> float | None:
    return None if duration_s is None else round(duration_s, 3)
