"""The notification protocol of systemd: a word when the show plays, and a sign of life as long as it does.

The protocol is one datagram a message to the socket that NOTIFY_SOCKET names; see the manual page sd_notify(3).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

READY, STOPPING, PET = "READY=1", "STOPPING=1", "WATCHDOG=1"


class Systemd:
    """The service manager that started this process, if one did; without one every call does nothing."""

    def __init__(self, environment: Mapping[str, str] | None = None, process_id: int | None = None) -> None:
        there = os.environ if environment is None else environment
        self._address = _address(there.get("NOTIFY_SOCKET", ""))
        meant_for = there.get("WATCHDOG_PID", "")
        mine = not meant_for or meant_for == str(process_id or os.getpid())
        period = there.get("WATCHDOG_USEC", "")
        self.pet_every_s = int(period) / 2e6 if mine and period.isdecimal() and int(period) else None
        """How often a sign of life is due, at half the time after which the manager restarts the show; None: never."""

    @property
    def listens(self) -> bool:
        """Whether anybody is told."""
        return self._address is not None

    def tell(self, *states: str) -> None:
        """Send one message, e.g. READY; a manager that does not listen is no reason to stop."""
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
                to.setblocking(False)
                to.sendto("\n".join(states).encode(), self._address)
        except OSError:
            return


def _address(name: str) -> str | None:
    """Return the address of the socket; a leading @ stands for a name that is no file."""
    if not hasattr(socket, "AF_UNIX") or not name.startswith(("/", "@")):
        return None
    return "\0" + name[1:] if name.startswith("@") else name
