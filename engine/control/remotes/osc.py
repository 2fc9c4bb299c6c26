"""Open Sound Control: any controller or mixing desk sets the show's parameters over UDP.

Every parameter has an address, `/fluid/NAME value`. Messages that are not understood are counted and answered with
`/fluid/error`; no message can stop the show or delay its steps.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping

from pythonosc.osc_message_builder import OscMessageBuilder

from engine.control.remotes.osc_inbox import Answer, Counts, Inbox
from engine.control.remotes.osc_limits import Sender
from engine.control.remotes.osc_senders import AllowedSenders
from engine.control.remotes.remote_access import RemoteAccess
from engine.core.clock import Clock, WallClock
from engine.core.notices import ToldOnce
from engine.core.server_thread import ServerThread, bind_socket, in_words

RECEIVE_BUFFER_BYTES = 4 << 20
"""A burst of thousands of messages fits; what the system grants may be less."""
MOST_DATAGRAMS, MOST_DRAIN_S = 256, 0.004
"""Limits of one batch."""
LEAST_REST_S = 0.002
"""Pause between two batches, for the threads that play the show."""
STRANGERS_TOLD = 3
"""Senders that may not send, of which the terminal is told."""
_LARGEST_DATAGRAM_BYTES = 65536


class OscServer:
    """Receives in a thread of its own from `start` to `close`. A Remote."""

    def __init__(
        self,
        access: RemoteAccess,
        host: str,
        port: int,
        describe_stats: Callable[[], Mapping[str, float]] = dict[str, float],
        allowed: AllowedSenders | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Bind the port (0: any free one). Without `allowed` all senders are. Raises ConfigError when that is impossible."""
        self._clock = clock or WallClock()
        # One for all: a buffer of this size for each datagram would leave the thread's memory full of holes.
        self._buffer = memoryview(bytearray(_LARGEST_DATAGRAM_BYTES))
        self._socket = bind_socket(
            socket.SOCK_DGRAM,
            host,
            port,
            purpose="listen to OSC",
            way_out="choose another with --osc-port or --osc-host, or leave it out with --no-osc",
        )
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        bound_host, self.port = self._socket.getsockname()[:2]
        self.host = in_words(host)
        self._allowed = allowed or AllowedSenders()
        self._strangers_told = ToldOnce(access.notify, STRANGERS_TOLD)
        self._inbox = Inbox(access, describe_stats, self._clock, origin=self.name)
        self._own = _OwnAddress(bound_host, self.port)
        self._server = ServerThread("osc", self._socket, self._take_batch)

    @property
    def name(self) -> str:
        """Where it listens."""
        return f"osc {self.host} port {self.port}"

    @property
    def counts(self) -> Counts:
        """Messages and answers so far."""
        return self._inbox.counts

    def start(self) -> None:
        """Begin to receive and answer."""
        self._server.start()

    def close(self) -> None:
        """Stop and release the port within CLOSE_WITHIN_S; safe to call twice."""
        self._server.close()

    def answer(self, datagram: bytes, sender: Sender = ("", 0)) -> list[Answer]:
        """Apply a datagram, whoever sent it, and return the answers to its sender."""
        self._put(datagram, sender)
        return [answer for _, answer in self._inbox.apply()]

    def _take_batch(self) -> None:
        """Apply what has arrived, then rest for as long as that took, so that a flood gets half a core at most."""
        begun_s = self._clock.now_s()
        for _ in range(MOST_DATAGRAMS):
            try:
                # Lets the other threads run, each time.
                received_bytes, sender = self._socket.recvfrom_into(self._buffer)
            except OSError:
                # No more for now; or, on Windows, the receiver of an answer is gone.
                break
            if self._allowed.admits(sender[0]):
                self._put(bytes(self._buffer[:received_bytes]), sender)
            else:
                self._drop(sender)
            if self._clock.now_s() - begun_s > MOST_DRAIN_S:
                break
        for sender, (to, values) in self._inbox.apply():
            self._send(sender, _build(to, values))
        self._clock.sleep(max(LEAST_REST_S, self._clock.now_s() - begun_s))

    def _put(self, datagram: bytes, sender: Sender) -> None:
        # Only a forged sender makes a show receive from itself.
        self._inbox.put(datagram, None if self._own.is_sender(sender) else sender)

    def _drop(self, sender: Sender) -> None:
        self.counts.strangers += 1
        host = sender[0]
        self._strangers_told.tell(
            host, lambda: f"OSC of {host} is not read, since osc_allow does not name it. This is told once."
        )

    def _send(self, sender: Sender, datagram: bytes) -> None:
        try:
            self._socket.sendto(datagram, sender)
        except OSError:
            # The receiver is gone.
            return


class _OwnAddress:
    """Recognises datagrams whose sender is the show's own socket."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._judged: tuple[str, bool] = ("", False)
        """The last host seen with our port, and whether it is this machine."""

    def is_sender(self, sender: Sender) -> bool:
        host, port = sender[:2]
        if port != self._port:
            return False
        if self._host not in ("0.0.0.0", "::"):
            return host == self._host
        # Bound to all addresses, the socket has every one of this machine.
        if host != self._judged[0]:
            self._judged = host, _is_here(host)
        return self._judged[1]


def _is_here(host: str) -> bool:
    """Return whether an address is one of this machine's: only those can be bound to."""
    # IPv4 senders, as a socket gives them that is open to IPv6 too.
    host = host.removeprefix("::ffff:") if "." in host else host
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as trial:
            trial.bind((host, 0))
    except OSError:
        return False
    return True


def _build(to: str, values: tuple[float | int | bool | str, ...]) -> bytes:
    builder = OscMessageBuilder(address=to)
    for value in values:
        builder.add_arg(value)
    return builder.build().dgram
