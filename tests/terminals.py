"""Programs in a real pseudo-terminal that a test can close."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import termios
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

ROWS, COLUMNS = 24, 80


class Terminal:
    """A terminal with one program in it, whose output is read all the time."""

    def __init__(
        self, command: Sequence[str], cwd: Path, environment: Mapping[str, str], *, controls: bool = True
    ) -> None:
        """Start `command`. The terminal `controls` its session, so that closing it sends SIGHUP; otherwise it only shows the output."""
        self._our_end, its_end = os.openpty()
        self.shown = b""
        fcntl.ioctl(its_end, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))

        def control() -> None:
            if controls:
                fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            env=dict(environment),
            stdin=its_end,
            stdout=its_end,
            stderr=its_end,
            start_new_session=True,
            preexec_fn=control,
        )
        os.close(its_end)
        self._is_closing = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def close(self) -> None:
        """Close it, as a window or an ssh connection is closed."""
        self._is_closing.set()
        self._reader.join()
        os.close(self._our_end)

    def _read(self) -> None:
        os.set_blocking(self._our_end, False)
        while not self._is_closing.wait(0.01):
            with suppress(OSError):
                self.shown += os.read(self._our_end, 65536)
