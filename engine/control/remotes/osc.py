"""Open Sound Control: any fader box or desk sets the show's parameters over UDP.

Every parameter is an address, `/fluid/NAME value`. What cannot be understood is counted and answered with `/fluid/error`;
nothing that arrives can stop the show, or keep it from its steps.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping

from pythonosc.osc_message_builder import OscMessageBuilder

from engine.control.parameter_store import ParameterStore
from engine.control.remotes.osc_inbox import Answer, Counts, Inbox
from engine.control.remotes.osc_limits import Sender
from engine.core.clock import Clock, WallClock
from engine.core.server_thread import ServerThread, bind_socket

RECEIVE_BUFFER_BYTES = 4 << 20
"""A burst of thousands of messages fits; what the system grants may be less."""
MOST_DATAGRAMS, MOST_DRAIN_S = 256, 0.004
"""What comes in one batch."""
LEAST_REST_S = 0.002
"""Between two batches, for the threads that play the show."""
_LARGEST_DATAGRAM_BYTES = 65536


class OscServer:
    """Listens in a thread of its own from `start` to `close`."""

    def __init__(
        self,
        store: ParameterStore,
        host: str,
        port: int,
        describe_stats: Callable[[], Mapping[str, float]] = dict[str, float],
        clock: Clock | None = None,
    ) -> None:
        """Take the port (0: any free one). Raises ConfigError when that is impossible."""
        self._clock = clock or WallClock()
        self._inbox = Inbox(store, describe_stats, self._clock)
        self._socket = bind_socket(
            socket.SOCK_DGRAM,
            host,
            port,
            purpose="listen to OSC",
            way_out="choose another with --osc-port or --osc-host, or leave it out with --no-osc",
        )
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        bound_host, self.port = self._socket.getsockname()
        self.host = host
        self._own = _OwnAddress(bound_host, self.port)
        self._server = ServerThread("osc", self._socket, self._take_batch)

    @property
    def counts(self) -> Counts:
        """What has come so far."""
        return self._inbox.counts

    def start(self) -> None:
        """Begin to answer."""
        self._server.start()

    def close(self) -> None:
        """Stop and release the port within CLOSE_WITHIN_S; safe to call twice."""
        self._server.close()

    def answer(self, datagram: bytes, sender: Sender = ("", 0)) -> list[Answer]:
        """Do what a datagram says and return what its sender is told."""
        self._put(datagram, sender)
        return [answer for _, answer in self._inbox.obey()]

    def _take_batch(self) -> None:
        """Obey what has arrived, then rest for as long as that took, so that a flood has half a core at most."""
        begun_s = self._clock.now_s()
        for _ in range(MOST_DATAGRAMS):
            try:
                # Lets the other threads run, each time.
                datagram, sender = self._socket.recvfrom(_LARGEST_DATAGRAM_BYTES)
            except OSError:
                # No more for now; or, on Windows, somebody who was answered is gone.
                break
            self._put(datagram, sender)
            if self._clock.now_s() - begun_s > MOST_DRAIN_S:
                break
        for sender, (to, values) in self._inbox.obey():
            self._send(sender, _build(to, values))
        self._clock.sleep(max(LEAST_REST_S, self._clock.now_s() - begun_s))

    def _put(self, datagram: bytes, sender: Sender) -> None:
        # Only somebody who forges senders makes a show hear from itself.
        self._inbox.put(datagram, None if self._own.is_sender(sender) else sender)

    def _send(self, sender: Sender, datagram: bytes) -> None:
        try:
            self._socket.sendto(datagram, sender)
        except OSError:
            # Nobody is there to be told.
            return


class _OwnAddress:
    """Knows whether a sender is the socket that it wants to be answered by."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._judged: tuple[str, bool] = ("", False)
        """The last host that had our port, and whether it is this machine."""

    def is_sender(self, sender: Sender) -> bool:
        host, port = sender
        if port != self._port:
            return False
        if self._host != "0.0.0.0":
            return host == self._host
        # Listening everywhere, we have every address of this machine.
        if host != self._judged[0]:
            self._judged = host, _is_here(host)
        return self._judged[1]


def _is_here(host: str) -> bool:
    """Return whether an address is one of this machine's: only those can be bound to."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trial:
        try:
            trial.bind((host, 0))
        except OSError:
            return False
        return True


def _build(to: str, values: tuple[float | int | bool | str, ...]) -> bytes:
    builder = OscMessageBuilder(address=to)
    for value in values:
        builder.add_arg(value)
    return builder.build().dgram
