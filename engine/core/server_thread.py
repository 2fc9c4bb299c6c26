"""A network server in a daemon thread: bind a port, serve it, close within a bound."""

from __future__ import annotations

import errno
import os
import re
import selectors
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

from engine.core.errors import ConfigError

CLOSE_WITHIN_S = 1.0
PORTS_TRIED = 20
"""Above one that is taken, to name a free one."""
POLL_S = 0.1


def bind_socket(kind: socket.SocketKind, host: str, port: int, *, purpose: str, way_out: str) -> socket.socket:
    """Bind a non-blocking socket; port 0 takes any free port.

    `host` is a name, an IPv4 or an IPv6 address, the latter with or without brackets; `::` takes IPv4 too.
    Raises ConfigError "Cannot `purpose` on HOST port PORT: reason; `way_out`."; of a port that is taken it names the next free one.
    """
    if re.fullmatch(r"\[.*\]:\d+|[^:]+:\d+", host):
        raise ConfigError(
            f"Cannot {purpose} on {host}: an address without a port was expected, e.g. 10.0.0.7, ::1 or [::1]; {way_out}."
        )
    family, bare = parse_host(host)
    try:
        bound = socket.socket(family, kind)
    except OSError as error:
        raise ConfigError(f"Cannot {purpose} on {in_words(host)} port {port}: {error.strerror}; {way_out}.") from error
    try:
        if kind == socket.SOCK_STREAM and os.name == "posix":
            # A show that starts again needs the port at once. On Windows the option would take a port from its owner.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if bare == "::":
            # Windows and some BSDs would take IPv6 alone.
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        # Resolves names, and the interface of an address such as fe80::1%eth0.
        resolved = socket.getaddrinfo(bare, None, family, kind)[0][4]
        bound.bind((resolved[0], port, *resolved[2:]))
    except (OSError, OverflowError, ValueError) as error:
        bound.close()
        taken = getattr(error, "errno", None) == errno.EADDRINUSE
        reason = getattr(error, "strerror", None) or error
        free = next_free_port(kind, host, port) if taken else None
        reason = f"{reason}, {free} is free" if free else reason
        raise ConfigError(f"Cannot {purpose} on {in_words(host)} port {port}: {reason}; {way_out}.") from error
    bound.setblocking(False)
    return bound


def next_free_port(kind: socket.SocketKind, host: str, port: int) -> int | None:
    """Return the next port above one that is taken; None where the next PORTS_TRIED are taken too."""
    family, bare = parse_host(host)
    for other in range(port + 1, min(port + PORTS_TRIED, 65535) + 1):
        with suppress(OSError), socket.socket(family, kind) as tried:
            resolved = socket.getaddrinfo(bare, None, family, kind)[0][4]
            tried.bind((resolved[0], other, *resolved[2:]))
            return other
    return None


def parse_host(host: str) -> tuple[socket.AddressFamily, str]:
    """Return the family of a host and the host without brackets: ::1 and [::1] are the same."""
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    return (socket.AF_INET6 if ":" in bare else socket.AF_INET), bare


def in_words(host: str) -> str:
    """Return a host as it is shown beside a port: IPv6 addresses in brackets."""
    family, bare = parse_host(host)
    return f"[{bare}]" if family == socket.AF_INET6 else bare


class ServerThread:
    """Calls `on_readable` in a daemon thread whenever the socket has something to read, from `start` to `close`."""

    def __init__(
        self,
        name: str,
        bound: socket.socket,
        on_readable: Callable[[], None],
        on_pause: Callable[[], None] = lambda: None,
        wait_s: Callable[[], float] = lambda: POLL_S,
    ) -> None:
        """`on_pause` is called when there was nothing to read for `wait_s`, and for POLL_S at most."""
        self._socket = bound
        self._on_pause, self._wait_s = on_pause, wait_s
        self._selector = selectors.DefaultSelector()
        self._selector.register(bound, selectors.EVENT_READ, on_readable)
        self._closing = threading.Event()
        # A daemon thread: the process can end even if a callback hangs.
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)

    def start(self) -> None:
        """Start to serve."""
        self._thread.start()

    def watch(self, opened: socket.socket, on_readable: Callable[[], None]) -> None:
        """Call `on_readable` for another socket too. Before `start`, or in this thread."""
        self._selector.register(opened, selectors.EVENT_READ, on_readable)

    def forget(self, opened: socket.socket) -> None:
        """Watch that socket no longer; before it is closed, in this thread."""
        self._selector.unregister(opened)

    def close(self) -> None:
        """Stop and release the port; safe to call twice, and without `start`. A callback that hangs is left behind after
        CLOSE_WITHIN_S."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_WITHIN_S)
        else:
            self._selector.close()
        self._socket.close()

    def _serve(self) -> None:
        with self._selector:
            while not self._closing.is_set():
                ready = self._selector.select(min(POLL_S, max(0.0, self._wait_s())))
                for key, _ in ready:
                    key.data()
                if not ready:
                    self._on_pause()
