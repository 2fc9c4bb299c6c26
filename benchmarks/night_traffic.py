"""Random remote messages: values in range and out of range, wrong types, unknown addresses, and bytes that are no OSC."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Sequence

from pythonosc.osc_message_builder import OscMessageBuilder

from engine.control.parameter import Parameter
from engine.control.remotes.osc_addresses import address
from engine.core.clock import WallClock

MESSAGES_A_SECOND = 50
EVENT_SHARE = 0.05
"""Share of the events that are sent: a scene is recalled or saved every half minute, and each may load a model."""
EXCLUDED = frozenset({"freeze", "blackout", "overlay", "flash_guard", "record"})
"""A frame that is still or black on request is no fault, and an overlay would hide one. `record` belongs to the disk fault."""
LIMITS: dict[str, tuple[float, float]] = {
    "brightness": (0.7, 1.6),
    "gain_db": (-12.0, 20.0),
    "gate_db": (-90.0, -50.0),
    "trail": (0.0, 0.7),
    "crossfade_s": (0.0, 2.0),
    "smoothing_ms": (0.0, 500.0),
    "memory": (-1e9, 2.0),
    "scene": (1, 8),
    "save_scene": (1, 8),
}
"""Ranges in which frames neither become black nor still."""


class Traffic:
    """Sends messages in a thread until it is closed."""

    def __init__(self, port: int, parameters: Sequence[Parameter], seed: int = 0) -> None:
        self._to = ("127.0.0.1", port)
        self._parameters = [p for p in parameters if p.name not in EXCLUDED]
        self._random = random.Random(seed)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._ended = threading.Event()
        self.sent = 0
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)

    def start(self) -> None:
        """Start to send."""
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        self._socket.close()

    def send(self, to: str, *values: object) -> None:
        """Send one given message."""
        self._socket.sendto(message(to, *values), self._to)

    def flood(self, messages: int) -> None:
        """Send so many messages at once."""
        generator = random.Random(messages)
        for _ in range(messages):
            self._socket.sendto(datagram(generator, self._parameters), self._to)
            self.sent += 1

    def _run(self) -> None:
        clock = WallClock()
        next_s = clock.now_s()
        while not self._ended.wait(max(0.0, next_s - clock.now_s())):
            self._socket.sendto(datagram(self._random, self._parameters), self._to)
            self.sent += 1
            # It does not catch up after a busy second of the machine.
            next_s = max(next_s + 1.0 / MESSAGES_A_SECOND, clock.now_s() - 1.0)


def datagram(generator: random.Random, parameters: Sequence[Parameter]) -> bytes:
    """Return a random datagram; 60 % are valid."""
    kind, parameter = generator.random(), generator.choice(list(parameters))
    if parameter.kind == "event" and generator.random() > EVENT_SHARE:
        return datagram(generator, parameters)
    if kind < 0.6:
        return message(address(parameter.name), *_valid(generator, parameter))
    if kind < 0.75:
        return message(address(parameter.name), *_out_of_range(generator, parameter))
    if kind < 0.85:
        return message(address(parameter.name), generator.choice(["loud", "", "nan", b"\x00\x01", [1.0, 2.0]]))
    if kind < 0.9:
        return message("/fluid/" + "".join(generator.choices("abcdefgh/", k=generator.randrange(1, 40))), 1.0)
    if kind < 0.95:
        return generator.randbytes(generator.randrange(0, 600))
    return message(address(parameter.name), 1.0)[: generator.randrange(1, 12)]


def message(to: str, *values: object) -> bytes:
    """Return one OSC message."""
    builder = OscMessageBuilder(address=to)
    for value in values:
        builder.add_arg(value)  # type: ignore[arg-type]
    return builder.build().dgram


def _valid(generator: random.Random, parameter: Parameter) -> tuple[object, ...]:
    if parameter.kind == "trigger":
        return ()
    if parameter.kind == "bool":
        return (generator.random() < 0.5,)
    low, high = _limits(parameter)
    return (generator.uniform(low, high),) if parameter.kind == "float" else (generator.randint(int(low), int(high)),)


def _out_of_range(generator: random.Random, parameter: Parameter) -> tuple[object, ...]:
    """Return a number out of range that is clipped into LIMITS."""
    if not parameter.is_number:
        return (17,)
    low, high = _limits(parameter)
    sides = [value for value, safe in ((parameter.low, low), (parameter.high, high)) if value == safe]
    if not sides:
        return (float("nan"),)
    side = generator.choice(sides)
    beyond = side + (1.0 if side == high else -1.0) * (1.0 + 10.0 ** generator.uniform(0, 6))
    return (beyond,) if parameter.kind == "float" else (max(-(2**31), min(2**31 - 1, int(beyond))),)


def _limits(parameter: Parameter) -> tuple[float, float]:
    low, high = LIMITS.get(parameter.name, (parameter.low, parameter.high))
    return max(low, parameter.low), min(high, parameter.high)
