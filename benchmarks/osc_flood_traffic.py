"""Sends one kind of OSC flood to a show on this machine, from a process of its own: so many datagrams, so long, no more.

    python -m benchmarks.osc_flood_traffic PORT KIND --a-second 5000 --seconds 30

Prints how many were sent.
"""

from __future__ import annotations

import argparse
import random
import socket
import struct
from collections.abc import Callable
from contextlib import closing

from pythonosc.osc_message import OscMessage

from benchmarks.night_traffic import message
from engine.control.parameter_table import TABLE
from engine.control.remotes.osc_addresses import ERROR, PONG, STATS, address
from engine.core.clock import WallClock
from engine.core.errors import ConfigError, run_main

HOST = "127.0.0.1"
HIGHEST_A_SECOND, LONGEST_S = 20_000.0, 120.0
DIFFERENT = 5000
"""More than a show remembers."""
BUNDLE_HEAD = b"#bundle\0" + bytes(7) + b"\1"
SPOOFED = "answers to itself"
STRANGERS, STRANGER = "strangers", "127.0.0.2"
"""Datagrams of a sender that the show does not admit."""
LOCKED = "mirror"
"""The parameter that the show locks against remotes."""
_UDP = 17


def _letters(rolled: random.Random) -> str:
    return "".join(rolled.choices("abcdefgh", k=12))


def _new_pattern(rolled: random.Random) -> bytes:
    return message(address(f"*{'*'.join(_letters(rolled))}{{zo,zoo}}[!a-c]?*"), 1.0)


def _bundle(rolled: random.Random) -> bytes:
    elements = [
        KINDS[kind](rolled) for kind in ("known", "unknown", "garbage", "questions", "patterns", "new patterns")
    ]
    return BUNDLE_HEAD + b"".join(struct.pack(">i", len(element)) + element for element in elements)


FADER = "zoom"
"""The fader that is measured; no flood touches it."""
EVERY_ADDRESS = "every address"
SET_BY_EVERY_ADDRESS = tuple(p for p in TABLE if p.kind == "float" and p.name != FADER)


def _any_parameter(rolled: random.Random) -> bytes:
    parameter = rolled.choice(SET_BY_EVERY_ADDRESS)
    return message(address(parameter.name), rolled.uniform(parameter.low, parameter.high))


PATTERNS = ("/fluid/onset_*", "/fluid/{glow,trail,tap}", "/*/[a-h]*_*", "/fluid/gai*")
KINDS: dict[str, Callable[[random.Random], bytes]] = {
    EVERY_ADDRESS: _any_parameter,
    "known": lambda rolled: message(address("glow"), rolled.random()),
    "out of range": lambda rolled: message(address("glow"), 2.0 + rolled.random()),
    "triggers": lambda rolled: message(address("tap")),
    "unknown": lambda rolled: message(address(_letters(rolled)), 1.0),
    "foreign": lambda rolled: message("/" + _letters(rolled), 1.0),
    "questions": lambda rolled: message(rolled.choice([STATS, address("glow")])),
    "garbage": lambda rolled: rolled.randbytes(4 * rolled.randrange(0, 40)),
    "texts": lambda rolled: message(address("glow"), str(rolled.random())),
    "locked": lambda rolled: message(address(LOCKED), rolled.randrange(2)),
    "scenes recalled": lambda rolled: message(address("scene"), rolled.randrange(1, 129)),
    "scenes saved": lambda rolled: message(address("save_scene"), rolled.randrange(1, 129)),
    "recordings": lambda rolled: message(address("record"), rolled.randrange(2)),
    "patterns": lambda rolled: message(rolled.choice(PATTERNS), rolled.random()),
    "new patterns": _new_pattern,
    "patterns that ask": lambda rolled: message(rolled.choice(PATTERNS)),
    STRANGERS: lambda rolled: message(address("glow"), rolled.random()),
    "bundles": _bundle,
    "negative lengths": lambda rolled: BUNDLE_HEAD + b"\xff\xff\xff\xfc",
    "nested arrays": lambda rolled: b"/fluid/glow\0," + 5002 * b"[" + b"\0",
    "answers": lambda rolled: rolled.choice([message(STATS, "hops", 1), message(ERROR, "what?"), message(PONG)]),
    SPOOFED: lambda rolled: message(STATS),
}


def main() -> int:
    parser = argparse.ArgumentParser(description="Send one kind of flood to a show's OSC port on this machine.")
    parser.add_argument("port", type=int)
    parser.add_argument("kind", choices=list(KINDS))
    parser.add_argument("--a-second", type=float, default=5000.0)
    parser.add_argument("--seconds", type=float, default=30.0)
    arguments = parser.parse_args()
    a_second, seconds = min(arguments.a_second, HIGHEST_A_SECOND), min(arguments.seconds, LONGEST_S)
    with closing(open_sender(arguments.kind, arguments.port)) as sender:
        print(send(sender, arguments.port, arguments.kind, a_second, seconds))
    return 0


def open_sender(kind: str, port: int) -> socket.socket:
    """Return the socket that sends a kind. Raises ConfigError where senders cannot be forged."""
    if kind != SPOOFED:
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.bind((STRANGER if kind == STRANGERS else HOST, 0))
        return sender
    try:
        return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    except OSError as error:
        raise ConfigError("To forge senders needs a right that this user lacks (Linux: CAP_NET_RAW).") from error


def spoofed(payload: bytes, port: int) -> bytes:
    """Return the IPv4 packet of a datagram that seems to come from where it goes to (RFC 791, RFC 768; no UDP checksum)."""
    here = socket.inet_aton(HOST)
    # The kernel fills in length and checksum.
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 0, 0, 0, 64, _UDP, 0, here, here)
    return head + struct.pack(">HHHH", port, port, 8 + len(payload), 0) + payload


def datagrams(kind: str) -> list[bytes]:
    """Return the datagrams that a flood sends round and round: made beforehand, since the sender must not need a core of its own."""
    rolled = random.Random(kind)
    return [KINDS[kind](rolled) for _ in range(DIFFERENT)]


def last_values(kind: str, sent: int) -> dict[str, float]:
    """Return the last value that a flood of so many datagrams sent to each address."""
    made = datagrams(kind)
    last: dict[str, float] = {}
    for number in range(max(0, sent - DIFFERENT), sent):
        told = OscMessage(made[number % DIFFERENT])
        last[told.address] = told.params[0]
    return last


def send(sender: socket.socket, port: int, kind: str, a_second: float, seconds: float) -> int:
    """Send at a steady rate and return how many datagrams there were."""
    clock, sent = WallClock(), 0
    made = datagrams(kind)
    if kind == SPOOFED:
        made = [spoofed(datagram, port) for datagram in made]
    began_s = clock.now_s()
    while (passed_s := clock.now_s() - began_s) < seconds:
        while sent < passed_s * a_second:
            sender.sendto(made[sent % DIFFERENT], (HOST, port))
            sent += 1
        clock.sleep(0.002)
    return sent


if __name__ == "__main__":
    run_main(main)
