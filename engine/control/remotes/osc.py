"""Open Sound Control: any controller or mixing desk sets the show's parameters over UDP, and over TCP if asked for.

Every parameter has an address, `/fluid/NAME value`. Messages that are not understood are counted and answered with
`/fluid/error`; no message can stop the show or delay its steps.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from contextlib import suppress

from engine.control.remotes.osc_feedback import Feedback
from engine.control.remotes.osc_inbox import Answer, Counts, Inbox
from engine.control.remotes.osc_limits import Sender
from engine.control.remotes.osc_message import build
from engine.control.remotes.osc_senders import TCP, AllowedSenders, is_loopback, plain_host
from engine.control.remotes.osc_subscribers import Subscribers
from engine.control.remotes.osc_tcp import TcpConnections
from engine.control.remotes.remote_access import RemoteAccess
from engine.core.clock import Clock, WallClock
from engine.core.errors import ConfigError
from engine.core.notices import ToldOnce
from engine.core.server_thread import POLL_S, ServerThread, bind_socket, in_words

RECEIVE_BUFFER_BYTES = 4 << 20
"""A burst of thousands of messages fits; what the system grants may be less."""
MOST_DATAGRAMS, MOST_DRAIN_S = 256, 0.004
"""Limits of one batch."""
LEAST_REST_S = 0.002
"""Pause between two batches, for the threads that play the show."""
STRANGERS_TOLD = 3
"""Senders that may not send, of which the terminal is told."""
_LARGEST_DATAGRAM_BYTES = 65536
_ALL_ADDRESSES = ("0.0.0.0", "::")


class OscServer:
    """Receives in a thread of its own from `start` to `close`. A Remote, but that each sender is the origin of its values."""

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
        # Some systems refuse what is more than they have.
        with suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        bound_host, self.port = self._socket.getsockname()[:2]
        self.host = in_words(host)
        self._allowed = allowed or AllowedSenders()
        self._strangers_told = ToldOnce(access.notify, STRANGERS_TOLD)
        self.feedback = Feedback(access, self._clock)
        """Tells subscribers what changed, and others that follow the show."""
        self._subscribers = Subscribers(self.feedback, self._allowed, self.send)
        self._inbox = Inbox(access, describe_stats, self._clock, self._subscribers)
        self._own = _OwnAddress(bound_host, self.port)
        self._server = ServerThread("osc", self._socket, self._take_batch, self._take_due, self._wait_s)
        self._tcp: TcpConnections | None = None

    @property
    def name(self) -> str:
        """Where it listens."""
        return f"osc {self.host} port {self.port}"

    @property
    def counts(self) -> Counts:
        """Messages and answers so far."""
        return self._inbox.counts

    @property
    def tcp_port(self) -> int | None:
        """The TCP port that it listens to; None without one."""
        return self._tcp.port if self._tcp else None

    def listen_to_tcp(self, port: int) -> None:
        """Listen to a TCP port too (0: any free one). Before `start`. Closes all and raises ConfigError when that is impossible."""
        try:
            listener = bind_socket(
                socket.SOCK_STREAM,
                self.host,
                port,
                purpose="listen to OSC over TCP",
                way_out="choose another with --osc-tcp or --osc-host, or leave --osc-tcp out",
            )
        except ConfigError:
            self.close()
            raise
        self._tcp = TcpConnections(listener, self._server, self)

    def start(self) -> None:
        """Begin to receive and answer."""
        self._server.start()

    def close(self) -> None:
        """Stop and release the ports within CLOSE_WITHIN_S; safe to call twice."""
        self.feedback.close()
        self._server.close()
        if self._tcp:
            self._tcp.close()

    def answer(self, datagram: bytes, sender: Sender = ("", 0)) -> list[Answer]:
        """Apply a datagram, whoever sent it, and return the answers to its sender."""
        self.take(datagram, sender)
        return [answer for _, answer in self._inbox.apply()]

    def send(self, receiver: Sender, datagram: bytes) -> None:
        """Send a datagram from the port that it listens on, or on the connection of `receiver`. Any thread may call; it never
        waits and never raises."""
        if TCP in receiver[2:]:
            if self._tcp:
                self._tcp.send(receiver, datagram)
            return
        try:
            self._socket.sendto(datagram, receiver)
        except OSError:
            # The receiver is gone.
            return

    def is_own(self, receiver: Sender) -> bool:
        """Return whether an address is the one that it listens on."""
        return self._own.is_sender(receiver)

    def address_of(self, receiver: Sender, family: socket.AddressFamily) -> Sender | None:
        """Return how `send` reaches an address, on this machine or another; None where this socket cannot."""
        bound_host = self._socket.getsockname()[0]
        if self._socket.family != family:
            # Bound to all addresses of IPv6, it has those of IPv4 too.
            return (f"::ffff:{receiver[0]}", receiver[1], 0, 0) if bound_host == "::" else None
        can_reach = bound_host in _ALL_ADDRESSES or is_loopback(bound_host) == is_loopback(receiver[0])
        return receiver if can_reach else None

    # What TcpConnections need.

    def admits(self, sender: Sender) -> bool:
        """Return whether a sender may send; count and tell of one that may not."""
        if self._allowed.admits(sender[0]):
            return True
        self.counts.strangers += 1
        host = plain_host(sender[0])
        self._strangers_told.tell(
            host, lambda: f"OSC of {host} is not read, since osc_allow does not name it. This is told once."
        )
        return False

    def take(self, datagram: bytes, sender: Sender) -> None:
        """Take a datagram until the turn ends."""
        # Only a forged sender makes a show receive from itself.
        self._inbox.put(datagram, None if self._own.is_sender(sender) and TCP not in sender[2:] else sender)

    def refuse(self, sentence: str, sender: Sender) -> None:
        """Answer with an error when the turn ends."""
        self._inbox.refuse(sentence, sender)

    def forget(self, sender: Sender) -> None:
        """Take note that a connection has ended."""
        self._subscribers.end(sender)

    def begin_turn(self) -> float:
        """Return the time now."""
        return self._clock.now_s()

    def end_turn(self, begun_s: float) -> None:
        """Apply and answer what has come, then rest for as long as that took, so that a flood gets half a core at most."""
        self._apply()
        self._clock.sleep(max(LEAST_REST_S, self._clock.now_s() - begun_s))

    def _take_batch(self) -> None:
        begun_s = self.begin_turn()
        for _ in range(MOST_DATAGRAMS):
            try:
                # Lets the other threads run, each time.
                received_bytes, sender = self._socket.recvfrom_into(self._buffer)
            except OSError:
                # No more for now; or, on Windows, the receiver of an answer is gone.
                break
            if self.admits(sender):
                self.take(bytes(self._buffer[:received_bytes]), sender)
            if self._clock.now_s() - begun_s > MOST_DRAIN_S:
                break
        self.end_turn(begun_s)

    def _take_due(self) -> None:
        """Apply what is due now, when nothing comes in."""
        if self._wait_s() <= 0.0:
            self._apply()
        elif self._tcp:
            self._tcp.tidy()

    def _apply(self) -> None:
        for sender, (to, values) in self._inbox.apply():
            self.send(sender, build(to, values))
        if self._tcp:
            self._tcp.tidy()

    def _wait_s(self) -> float:
        due_in_s = self._inbox.due_in_s()
        return POLL_S if due_in_s is None else due_in_s


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
        if self._host not in _ALL_ADDRESSES:
            return host == self._host
        # Bound to all addresses, the socket has every one of this machine.
        if host != self._judged[0]:
            self._judged = host, _is_here(host)
        return self._judged[1]


def _is_here(host: str) -> bool:
    """Return whether an address is one of this machine's: only those can be bound to."""
    host = plain_host(host)
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as trial:
            trial.bind((host, 0))
    except OSError:
        return False
    return True
