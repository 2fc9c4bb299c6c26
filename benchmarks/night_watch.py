"""What can be seen of a show from outside: its pixels, what it says of its health, the memory it holds."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
import zlib
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import psutil

from benchmarks.night_stage import SCREEN, Stage

PLACE_EVERY = 10
"""Samples between two looks at where the window is: every two seconds."""
MEMORY_EVERY = 25
_PATIENCE_S = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One look at the show, at `at_s` after the beginning of the night."""

    at_s: float
    signature: int | None
    """Of every pixel of the window; the same twice: nothing moved. None while it cannot be seen."""
    brightness: float | None
    """99th percentile of the window's levels; near 0 is black."""
    age_ms: float | None = None
    """Median age of the pictures shown in the last second."""
    fps: float | None = None
    alive: bool | None = None
    hops: int | None = None
    uptime_s: float | None = None
    source: str | None = None
    rss_mib: float | None = None

    def as_dict(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None}


class Watcher:
    """Takes samples. `health_port` 0: the product has no health to ask for."""

    def __init__(self, stage: Stage, process_id: int, health_port: int) -> None:
        self._stage = stage
        self._process = psutil.Process(process_id)
        self._health = f"http://127.0.0.1:{health_port}/health" if health_port else ""
        self._place: tuple[int, int, int, int] | None = None
        self._taken = 0

    def look(self, at_s: float, visible: bool, answering: bool) -> Sample:
        """Take one sample; a window that is hidden is not looked at, and a product that is stopped not asked."""
        if visible and self._taken % PLACE_EVERY == 0:
            self._place = self._stage.window_place()
        signature, brightness = self._pixels() if visible and self._place else (None, None)
        rss_mib = self._process.memory_info().rss / 2**20 if self._taken % MEMORY_EVERY == 0 else None
        self._taken += 1
        health = self._ask() if self._health and answering else {}
        age_ms = health.get("shown_age_ms", None)
        return Sample(
            at_s=round(at_s, 3),
            signature=signature,
            brightness=brightness,
            age_ms=health.get("age_ms") if age_ms is None else age_ms,
            fps=health.get("fps"),
            alive=health.get("alive"),
            hops=health.get("hops"),
            uptime_s=health.get("uptime_s"),
            source=health.get("source"),
            rss_mib=None if rss_mib is None else round(rss_mib, 3),
        )

    def look_anew(self) -> None:
        """The window may be elsewhere now."""
        self._taken += -self._taken % PLACE_EVERY

    def _pixels(self) -> tuple[int | None, float | None]:
        assert self._place
        left, top, width, height = self._place
        screen_HWC = self._stage.screen()
        shown_HWC = screen_HWC[
            max(0, top) : min(SCREEN[1], top + height), max(0, left) : min(SCREEN[0], left + width), :3
        ]
        if not shown_HWC.size:
            return None, None
        # A few thousand pixels tell how bright it is.
        return zlib.crc32(np.ascontiguousarray(shown_HWC)), float(np.percentile(shown_HWC[::9, ::9], 99))

    def _ask(self) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(self._health, timeout=_PATIENCE_S) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)
        except (OSError, ValueError):
            return {}
