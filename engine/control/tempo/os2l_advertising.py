"""Tells the network where OS2L senders find the show: a service of the type _os2l._tcp, by zeroconf."""

from __future__ import annotations

import importlib
import importlib.util
import ipaddress
import socket
import threading
from collections.abc import Callable
from typing import Any

TYPE = "_os2l._tcp.local."
NAME = "Fluid"
LIBRARY = "zeroconf"
CLOSE_WITHIN_S = 1.0


class Os2lAdvertising:
    """Advertises a port from `start` to `close`, in a thread of its own: it takes seconds to find a name that is free."""

    def __init__(self, host: str, port: int, notify: Callable[[str], None]) -> None:
        self._host = host
        self._port = port
        self._notify = notify
        self._closing = threading.Event()
        self._advertised = threading.Event()
        self._thread = threading.Thread(target=self._run, name="os2l advertising", daemon=True)

    def start(self) -> None:
        """Begin to advertise; without the library senders need the address."""
        if importlib.util.find_spec(LIBRARY) is None:
            self._notify(
                f"OS2L is not advertised, since {LIBRARY} is missing; give the sender the address, or: pip install {LIBRARY}"
            )
            return
        self._thread.start()

    def wait(self, timeout_s: float) -> bool:
        """Wait until it is advertised, at most so long. For tests."""
        return self._advertised.wait(timeout_s)

    def close(self) -> None:
        """Take it back; safe to call twice, and without `start`."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_WITHIN_S)

    def _run(self) -> None:
        zeroconf: Any = importlib.import_module(LIBRARY)
        address = _reached_at(self._host)
        try:
            advertising: Any = zeroconf.Zeroconf(interfaces=[address])
        except (OSError, RuntimeError) as error:
            self._notify(f"OS2L is not advertised ({error}); give the sender the address {address}:{self._port}.")
            return
        try:
            service: Any = zeroconf.ServiceInfo(
                TYPE,
                f"{NAME}.{TYPE}",
                port=self._port,
                addresses=[ipaddress.ip_address(address).packed],
                server=f"fluid-{self._port}.local.",
            )
            # A name that is taken gets a number.
            advertising.register_service(service, allow_name_change=True)
            self._advertised.set()
            self._closing.wait()
        except (OSError, zeroconf.Error) as error:
            self._notify(f"OS2L is not advertised ({error}); give the sender the address {address}:{self._port}.")
        finally:
            advertising.close()


def _reached_at(host: str) -> str:
    """Return the IPv4 address at which others reach a host: of all interfaces, that which leads outside."""
    bare = host.strip("[]")
    if bare not in ("0.0.0.0", "::"):
        try:
            return str(ipaddress.IPv4Address(socket.gethostbyname(bare)))
        except (OSError, ValueError):
            return "127.0.0.1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Nothing is sent: it asks the system for the way to a private network.
            probe.connect(("10.255.255.255", 1))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"
