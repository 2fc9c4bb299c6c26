"""A MIDI port that comes and goes: it is opened by another process, whose end costs a line and not the show."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine.control.remotes.midi import port_process
from engine.core.printable import printable_name

RESTARTS_AFTER_S = 5.0
CLOSES_WITHIN_S = 1.0
MOST_NAMES = 8


class MidiPort:
    """Reads one port from `start` to `close`, in a thread of its own."""

    def __init__(
        self,
        port: str,
        receive: Callable[[list[int]], None],
        notify: Callable[[str], None],
        command: Sequence[str] | None = None,
    ) -> None:
        """`port` is a part of a port's name, or "virtual"; `receive` gets each message as its bytes.

        `command` starts the process that opens the port, see engine/control/remotes/midi/port_process.py.
        """
        self._port = port
        self._receive = receive
        self._notify = notify
        self._command = command or [sys.executable, str(Path(port_process.__file__)), port]
        self._process: subprocess.Popen[bytes] | None = None
        self._told: set[str] = set()
        """Lines since the port was opened: the process repeats its state, and one that failed fails again."""
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="midi", daemon=True)

    def start(self) -> None:
        """Open the port as soon as it is there."""
        self._thread.start()

    def close(self) -> None:
        """Release the port; safe to call twice, and without `start`."""
        self._closing.set()
        process = self._process
        if process and process.stdin:
            # Closed: the process ends by itself.
            with suppress(OSError):
                process.stdin.close()
            try:
                process.wait(CLOSES_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
        if self._thread.is_alive():
            self._thread.join(CLOSES_WITHIN_S)

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._read()
            except OSError as error:
                self._tell(
                    f"MIDI: the process that opens the port cannot be started ({error}). The show goes on without MIDI."
                )
            else:
                self._tell("MIDI: the library gave up; it is started again every few seconds. The show goes on.")
            self._closing.wait(RESTARTS_AFTER_S)

    def _read(self) -> None:
        """Take the events of a new process until it ends. Raises OSError when it cannot be started."""
        process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        with process:
            self._process = process
            if self._closing.is_set():
                process.kill()
            assert process.stdout
            for line in process.stdout:
                # The library may print lines of its own, and a process that ends may leave half a line.
                with suppress(ValueError):
                    self._take(json.loads(line))

    def _take(self, event: Any) -> None:
        match event:
            case ["midi", *message]:
                self._receive(message)
            case ["open", name]:
                self._told.clear()
                self._tell(f"midi     {printable_name(name)}")
            case ["lost", name]:
                self._tell(
                    f"The MIDI port '{printable_name(name)}' was lost; it is opened again as soon as it returns."
                )
            case ["missing", names]:
                there = ", ".join(printable_name(name) for name in names[:MOST_NAMES])
                known = f"Ports are {there}." if names else "There are no ports."
                self._tell(
                    f"There is no MIDI port '{printable_name(self._port)}'. {known} It is opened as soon as it is there; the show goes on."
                )
            case ["no sequencer", reason]:
                self._tell(
                    f"MIDI: this machine has no sequencer ({printable_name(reason)}). The port is opened as soon as there is one; "
                    "the show goes on."
                )
            case _:
                pass

    def _tell(self, line: str) -> None:
        if line not in self._told and not self._closing.is_set():
            self._told.add(line)
            self._notify(line)
