"""Remotes of each kind that set a parameter of a show, as programs on other machines do."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks.osc_flood_traffic import message
from benchmarks.private_desktop import ROOT
from engine.control.remotes.midi.ports import process_environment
from engine.control.remotes.osc_addresses import address

OSC_PORT, WEB_PORT = 9731, 9732
DEVICE, CONTROLLERS = "mover", {"floor": (20, 1.0), "brightness": (21, 2.0)}
"""The MIDI device, and the controller and the highest value of each parameter that it moves."""
MOVER = """
import sys, rtmidi2
output = rtmidi2.MidiOut(sys.argv[1], api=rtmidi2.API_UNIX_JACK)
output.open_virtual_port("out")
for line in sys.stdin:
    output.send_raw(0xB0, *map(int, line.split()))
"""
_ANSWERS_WITHIN_S = 2.0
_TEXT, _BINARY = 0x81, 0x82


class Sender(Protocol):
    """Sets parameters of the running show."""

    def set(self, name: str, value: float) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class RemoteKind:
    """How a show is started for a kind of remote, and how the remote connects to it."""

    options: Callable[[Path], tuple[str, ...]]
    """From a folder for files to arguments of run_live.py."""
    connect: Callable[[Mapping[str, str]], Sender]
    """Raises OSError until the show listens; gets the environment of its desktop."""
    sound_server: str = "pulse"


class OscSender:
    """Sends OSC over UDP."""

    def __init__(self) -> None:
        from pythonosc.udp_client import SimpleUDPClient

        self._client = SimpleUDPClient("127.0.0.1", OSC_PORT)

    def set(self, name: str, value: float) -> None:
        self._client.send_message(address(name), value)

    def close(self) -> None: ...


class _WebSocket:
    """A WebSocket (RFC 6455) of the show's port; what comes in is read and dropped. Raises OSError until the show has it."""

    def __init__(self, path: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", WEB_PORT), _ANSWERS_WITHIN_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(
            # As a browser sends it.
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{WEB_PORT}\r\nOrigin: http://127.0.0.1:{WEB_PORT}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        if b" 101 " not in self._socket.recv(4096):
            raise ConnectionError("The show opened no WebSocket.")
        self._socket.settimeout(None)
        threading.Thread(target=self._drop, daemon=True).start()

    def send(self, kind: int, content: bytes) -> None:
        """Send one message, masked with zeros."""
        length = bytes((0x80 | len(content),)) if len(content) < 126 else b"\xfe" + struct.pack(">H", len(content))
        self._socket.sendall(bytes((kind,)) + length + bytes(4) + content)

    def close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _drop(self) -> None:
        with suppress(OSError):
            while self._socket.recv(65536):
                pass


class OscQuerySender(_WebSocket):
    """Sends OSC over the WebSocket of OSCQuery."""

    def __init__(self) -> None:
        super().__init__("/")

    def set(self, name: str, value: float) -> None:
        self.send(_BINARY, message(address(name), value))


class PageSender(_WebSocket):
    """Sets values as the web page does."""

    def __init__(self) -> None:
        super().__init__("/page/socket")

    def set(self, name: str, value: float) -> None:
        self.send(_TEXT, json.dumps({"id": 1, "do": "set", "values": {name: value}}).encode())


class MidiSender:
    """Moves controllers of a MIDI device, over JACK."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        command = [sys.executable, "-c", MOVER, DEVICE]
        environment = {**environment, **process_environment("jack")}
        self._device = subprocess.Popen(command, env=environment, cwd=ROOT, stdin=subprocess.PIPE, text=True)

    def set(self, name: str, value: float) -> None:
        controller, highest = CONTROLLERS[name]
        assert self._device.stdin
        self._device.stdin.write(f"{controller} {round(127 * value / highest)}\n")
        self._device.stdin.flush()

    def close(self) -> None:
        assert self._device.stdin
        self._device.stdin.close()
        self._device.wait()


def _midi_options(folder: Path) -> tuple[str, ...]:
    path = folder / "midi.yaml"
    moved = ", ".join(f"{number}: {name}" for name, (number, _) in CONTROLLERS.items())
    path.write_text(f"midi_parameters: {{{moved}}}\n")
    return ("--midi", DEVICE, "--midi-api", "jack", "--config", str(path), "--controllers", str(folder))


_WEB = ("--osc", "--osc-port", "0", "--web", f"127.0.0.1:{WEB_PORT}")
REMOTES: Mapping[str, RemoteKind] = {
    "osc": RemoteKind(lambda folder: ("--osc", "--osc-port", str(OSC_PORT)), lambda environment: OscSender()),
    "oscquery": RemoteKind(lambda folder: _WEB, lambda environment: OscQuerySender()),
    "web": RemoteKind(lambda folder: _WEB, lambda environment: PageSender()),
    "midi": RemoteKind(_midi_options, MidiSender, "jack"),
}
