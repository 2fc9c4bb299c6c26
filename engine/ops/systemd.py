"""systemd's notification protocol: ready, watchdog and status messages, one datagram each to the socket NOTIFY_SOCKET.

Source: the manual page sd_notify(3).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

READY, STOPPING, WATCHDOG = "READY=1", "STOPPING=1", "WATCHDOG=1"
STARTING_ON_S = 20
STARTING_ON = f"EXTEND_TIMEOUT_USEC={STARTING_ON_S}000000"
"""Whatever TimeoutStartSec says, the start is not over yet: for so long, until the next message."""


class Systemd:
    """The service manager that started this process. Without one every call does nothing."""

    def __init__(self, environment: Mapping[str, str] | None = None, process_id: int | None = None) -> None:
        variables = os.environ if environment is None else environment
        self._address = _socket_address(variables.get("NOTIFY_SOCKET", ""))
        watched = variables.get("WATCHDOG_PID", "")
        is_watched = not watched or watched == str(process_id or os.getpid())
        timeout_us = variables.get("WATCHDOG_USEC", "")
        has_timeout = timeout_us.isdecimal() and int(timeout_us) > 0
        self.watchdog_every_s = int(timeout_us) / 2e6 if is_watched and has_timeout else None
        """Interval of watchdog messages: half the timeout after which systemd restarts the show. None: no watchdog."""

    def notify(self, *states: str) -> None:
        """Send one message, e.g. READY. Errors are ignored: the show goes on without systemd."""
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto("\n".join(states).encode(), self._address)
        except OSError:
            return


def _socket_address(name: str) -> str | None:
    """Return the address of the socket; a leading @ is a name outside the file system."""
    if not hasattr(socket, "AF_UNIX") or not name.startswith(("/", "@")):
        return None
    return "\0" + name[1:] if name.startswith("@") else name
