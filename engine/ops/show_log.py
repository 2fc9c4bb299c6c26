"""The log of a show: JSON lines in files of bounded size."""

from __future__ import annotations

import json
import logging
import logging.handlers
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.core.clock import Clock, WallClock
from engine.core.errors import ConfigError

LARGEST_BYTES = 10 << 20
OLD_FILES = 5
"""FILE.1 to FILE.5 hold what went before: weeks of a show, in at most 60 MiB."""


class ShowLog:
    """One JSON object per line: `at` (date and time), `uptime_s`, `event`, and the fields of the event. For one thread."""

    def __init__(
        self, path: Path | str, clock: Clock, largest_bytes: int = LARGEST_BYTES, old_files: int = OLD_FILES
    ) -> None:
        """Open the file and append to it. Raises ConfigError where it cannot be written."""
        self._clock = clock
        self._started_s = clock.now_s()
        try:
            self._handler = _CountingHandler(path, maxBytes=largest_bytes, backupCount=old_files, encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"Cannot write the log {path}: {error.strerror}; choose another with --log.") from error
        self._handler.setFormatter(logging.Formatter("%(message)s"))

    @property
    def lost_lines(self) -> int:
        """Lines that could not be written, for example because the disk was full."""
        return self._handler.lost_lines

    def write(self, event: str, fields: Mapping[str, Any] | None = None) -> None:
        """Write one line, or count it as lost."""
        uptime_s = round(self._clock.now_s() - self._started_s, 3)
        line = json.dumps({"at": WallClock.date(), "uptime_s": uptime_s, "event": event, **(fields or {})}, default=str)
        self._handler.handle(logging.LogRecord("show", logging.INFO, "", 0, line, None, None))

    def close(self) -> None:
        self._handler.close()


class _CountingHandler(logging.handlers.RotatingFileHandler):
    """Counts the lines it cannot write instead of printing a traceback."""

    lost_lines = 0

    def handleError(self, record: logging.LogRecord) -> None:
        self.lost_lines += 1
