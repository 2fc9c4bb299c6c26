"""Samples of a show from outside: its pixels, its health report, its memory."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
import zlib
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import psutil

from benchmarks.night_desktop import SCREEN, NightDesktop

RECTANGLE_EVERY = 10
"""Samples between two queries of the window's rectangle: two seconds."""
MEMORY_EVERY = 25
_PATIENCE_S = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One sample, `at_s` after the start of the test."""

    at_s: float
    signature: int | None
    """Checksum of the window's pixels; equal checksums mean a still frame. None while the window is not visible."""
    brightness: float | None
    """99th percentile of the window's pixel values; near 0 is black."""
    age_ms: float | None = None
    """Median age of the frames shown in the last second."""
    fps: float | None = None
    alive: bool | None = None
    hops: int | None = None
    uptime_s: float | None = None
    source: str | None = None
    rss_mib: float | None = None

    def as_dict(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None}


class Watcher:
    """Takes samples. `health_port` 0: the show has no health server."""

    def __init__(self, desktop: NightDesktop, process_id: int, health_port: int) -> None:
        self._desktop = desktop
        self._process = psutil.Process(process_id)
        self._health = f"http://127.0.0.1:{health_port}/health" if health_port else ""
        self._rectangle: tuple[int, int, int, int] | None = None
        self._taken = 0

    def sample(self, at_s: float, visible: bool, answering: bool) -> Sample:
        """Take one sample, without the pixels of a hidden window and without the health of a stopped show."""
        if visible and self._taken % RECTANGLE_EVERY == 0:
            self._rectangle = self._desktop.window_rectangle()
        signature, brightness = self._pixels() if visible and self._rectangle else (None, None)
        rss_mib = self._process.memory_info().rss / 2**20 if self._taken % MEMORY_EVERY == 0 else None
        self._taken += 1
        health = self._read_health() if self._health and answering else {}
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

    def forget_window(self) -> None:
        """Query the window's rectangle again at the next sample."""
        self._taken += -self._taken % RECTANGLE_EVERY

    def _pixels(self) -> tuple[int | None, float | None]:
        assert self._rectangle
        left, top, width, height = self._rectangle
        screen_HWC = self._desktop.screen_pixels()
        shown_HWC = screen_HWC[
            max(0, top) : min(SCREEN[1], top + height), max(0, left) : min(SCREEN[0], left + width), :3
        ]
        if not shown_HWC.size:
            return None, None
        # A few thousand pixels are enough for the brightness.
        return zlib.crc32(np.ascontiguousarray(shown_HWC)), float(np.percentile(shown_HWC[::9, ::9], 99))

    def _read_health(self) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(self._health, timeout=_PATIENCE_S) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)
        except (OSError, ValueError):
            return {}
