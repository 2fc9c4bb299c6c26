"""MIDI ports that come and go: another process opens them, whose end or silence costs a line and not the show."""

from __future__ import annotations

import ctypes.util
import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from engine.core.clock import Clock, WallClock
from engine.core.printable import printable_name

MIDI_APIS: Mapping[str, str] = MappingProxyType({"auto": "UNSPECIFIED", "jack": "UNIX_JACK"})
"""The library's names of the systems whose ports it opens, by our names."""
PROCESS = "engine.control.remotes.midi.port_process"
RESTARTS_AFTER_S = 5.0
CLOSES_WITHIN_S = 1.0
HANGS_AFTER_S = 10.0
"""A process that says nothing for so long is ended."""
LOOKS_EVERY_S = 0.25
MOST_NAMES = 8
MOST_UNSENT = 2048
"""Lines to the process that wait; older ones are lost."""
LONGEST_LINE_BYTES = 1 << 16
MOST_TOLD = 64
_ROOT = Path(__file__).parents[4]


def process_environment(api: str) -> dict[str, str]:
    """Return the environment of the process that opens the ports."""
    path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path}
    library = ctypes.util.find_library("jack") if api == "jack" and sys.platform == "linux" else None
    if library:
        # The wheel of rtmidi2 brings a libjack that the servers of today refuse; the system's own one comes first.
        environment["LD_PRELOAD"] = " ".join(filter(None, [library, os.environ.get("LD_PRELOAD")]))
    return environment


@dataclass(frozen=True, kw_only=True, slots=True)
class AskedPorts:
    """The ports that a show wants."""

    ports: tuple[str, ...] = ()
    """Parts of names, "virtual" for one of our own, "all"."""
    clock_out: str | None = None
    """The output that gets the show's clock."""
    api: str = "auto"
    without: tuple[str, ...] = field(default=())
    """Names of ports that are left alone."""


class PortListener(Protocol):
    """What is told of ports, in one thread."""

    def opened(self, port: str, wish: str, has_output: bool) -> None: ...

    def lost(self, port: str) -> None: ...

    def receive(self, port: str, at_s: float, message: Sequence[int]) -> None:
        """Take one message as its bytes, and when it came, as WallClock tells the time."""
        ...

    def look(self) -> None:
        """Called several times a second."""
        ...


class MidiPorts:
    """Reads ports and sends to them from `start` to `close`, in threads of its own."""

    def __init__(
        self,
        asked: AskedPorts,
        listener: PortListener,
        notify: Callable[[str], None],
        command: Sequence[str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`command` starts the process that opens the ports, see engine/control/remotes/midi/port_process.py."""
        self._asked = asked
        self._listener = listener
        self._notify = notify
        self._command = command
        self._clock = clock or WallClock()
        self._process: subprocess.Popen[bytes] | None = None
        self._told: set[str] = set()
        """Lines since a port was opened: the process repeats its state, and one that failed fails again."""
        self._open: set[str] = set()
        self._without = list(asked.without)
        self._opening: str | None = None
        self._was_ended = False
        """Whether the process was ended for a port that hangs, which was told."""
        self._heard_s = 0.0
        self._closing = threading.Event()
        self._unsent: deque[bytes] = deque(maxlen=MOST_UNSENT)
        self._has_unsent = threading.Event()
        self._threads = [
            threading.Thread(target=run, name=f"midi {name}", daemon=True)
            for name, run in (("in", self._run), ("out", self._send_all), ("watch", self._watch))
        ]

    def start(self) -> None:
        """Open the ports as soon as they are there."""
        for thread in self._threads:
            thread.start()

    def send(self, port: str, messages: Sequence[Sequence[int]]) -> None:
        """Send messages to the output of a port, and return at once."""
        self.say("send", port, *messages)

    def say(self, *words: object) -> None:
        """Tell the process something, see there, and return at once."""
        self._unsent.append((json.dumps(words) + "\n").encode())
        self._has_unsent.set()

    def close(self) -> None:
        """Release the ports; safe to call twice, and without `start`."""
        self._closing.set()
        self._has_unsent.set()
        if self._threads[1].is_alive():
            # A pipe that nobody reads holds the thread, until the process ends.
            self._threads[1].join(CLOSES_WITHIN_S / 4)
        process = self._process
        if process and process.stdin:
            if not self._threads[1].is_alive():
                # Closed: the process ends by itself.
                with suppress(OSError):
                    process.stdin.close()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(CLOSES_WITHIN_S)
            if process.poll() is None:
                process.kill()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(CLOSES_WITHIN_S)

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._read()
            except OSError as error:
                self._tell(
                    f"MIDI: the process that opens the ports cannot be started ({error}). The show goes on without MIDI."
                )
            else:
                if not self._was_ended:
                    self._tell("MIDI: the library gave up; it is started again every few seconds. The show goes on.")
            for port in sorted(self._open):
                self._listener.lost(port)
            self._open.clear()
            self._closing.wait(RESTARTS_AFTER_S)

    def _read(self) -> None:
        """Take the events of a new process until it ends. Raises OSError when it cannot be started."""
        asked = {
            "ports": self._asked.ports,
            "without": self._without,
            "api": MIDI_APIS[self._asked.api],
            "clock_out": self._asked.clock_out,
        }
        process = subprocess.Popen(
            # -P: the current folder may hold a stranger's files.
            self._command or [sys.executable, "-P", "-m", PROCESS, json.dumps(asked)],
            env=process_environment(self._asked.api),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._opening, self._was_ended, self._heard_s = None, False, self._clock.now_s()
        self._unsent.clear()
        try:
            self._process = process
            if self._closing.is_set():
                process.kill()
            assert process.stdout
            while line := process.stdout.readline(LONGEST_LINE_BYTES):
                self._heard_s = self._clock.now_s()
                # The library may print lines of its own, and a process that ends may leave half a line.
                with suppress(ValueError):
                    self._take(json.loads(line))
        finally:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()

    def _watch(self) -> None:
        """End a process that says nothing any more: the library hangs in one of the ports."""
        while not self._closing.wait(LOOKS_EVERY_S):
            process = self._process
            if process is None or process.poll() is not None:
                continue
            if self._clock.now_s() - self._heard_s > HANGS_AFTER_S:
                self._leave_alone(self._opening, process)

    def _leave_alone(self, name: str | None, process: subprocess.Popen[bytes]) -> None:
        if name is None:
            self._tell("MIDI: the library hangs; it is started again. The show goes on.")
        else:
            self._without.append(name)
            self._tell(f"The MIDI port '{printable_name(name)}' hangs; it is left alone. The show goes on.")
        self._was_ended = True
        process.kill()

    def _send_all(self) -> None:
        while not self._closing.is_set():
            self._has_unsent.wait()
            self._has_unsent.clear()
            process = self._process
            while self._unsent and not self._closing.is_set():
                try:
                    line = self._unsent.popleft()
                except IndexError:
                    # The process was started again meanwhile.
                    break
                if process and process.stdin:
                    with suppress(OSError, ValueError):
                        process.stdin.write(line)
                        process.stdin.flush()

    def _take(self, event: Any) -> None:
        match event:
            case ["midi", str(port), float(at_s), *message]:
                self._listener.receive(port, at_s, message)
            case ["alive"]:
                self._listener.look()
            case ["opening", str(name)]:
                self._opening = name
            case ["open", str(name), str(wish), bool(has_output)]:
                self._opening = None
                self._told.clear()
                self._open.add(name)
                self._tell(f"midi     {printable_name(name)}")
                self._listener.opened(name, wish, has_output)
            case ["hangs", str(name)] if self._process:
                self._leave_alone(name, self._process)
            case ["lost", str(name)]:
                self._open.discard(name)
                self._listener.lost(name)
                self._tell_state(event)
            case _:
                self._tell_state(event)

    def _tell_state(self, event: Any) -> None:
        match event:
            case ["clock out", str(name)]:
                self._told.clear()
                self._tell(f"midi     clock to {printable_name(name)}")
            case ["lost", str(name)]:
                self._tell(
                    f"The MIDI port '{printable_name(name)}' was lost; it is opened again as soon as it returns."
                )
            case ["missing", str(wish), [*names]]:
                there = ", ".join(printable_name(str(name)) for name in names[:MOST_NAMES])
                known = f"Ports are {there}." if names else "There are no ports."
                thing = "MIDI port" if wish == "all" else f"MIDI port '{printable_name(wish)}'"
                self._tell(f"There is no {thing}. {known} It is opened as soon as it is there; the show goes on.")
            case ["no sequencer", str(reason)]:
                self._tell(
                    f"MIDI: no port can be opened here, since {printable_name(reason)}. It is tried again every few seconds; the "
                    "show goes on."
                )
            case ["dropped", int()]:
                self._tell("MIDI: messages come faster than 4,000 a second; the oldest are left out. The show goes on.")
            case _:
                pass

    def _tell(self, line: str) -> None:
        if line not in self._told and not self._closing.is_set() and len(self._told) < MOST_TOLD:
            self._told.add(line)
            self._notify(line)
