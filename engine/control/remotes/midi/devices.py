"""The open ports of a show, each with its controller file."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from engine.control.parameter import Parameter
from engine.control.remotes.midi.controller_file import Assignment
from engine.control.remotes.midi.controller_folder import ControllerFolder
from engine.control.remotes.midi.device import Device
from engine.core.background_task import BackgroundTask
from engine.core.errors import ConfigError
from engine.core.printable import printable_name

MOST_PORTS = 64


class AssignedOn(NamedTuple):
    """An assignment and the port of its control."""

    id: str
    port: str
    assignment: Assignment

    @property
    def said(self) -> str:
        """The control in words, e.g. "nano: control 21, channel 1"."""
        return f"{printable_name(self.port)}: {self.assignment.said()}"


class Devices:
    """Open devices by port. Any thread may call; who uses a device itself holds `lock`."""

    def __init__(self, folder: ControllerFolder, general: Sequence[Assignment], notify: Callable[[str], None]) -> None:
        """`general` are assignments for every port."""
        self.lock = threading.RLock()
        self._folder = folder
        self._general = general
        self._notify = notify
        self._open: dict[str, Device] = {}
        self._seen: dict[str, bool] = {}
        self._tasks: list[BackgroundTask[None]] = []

    def opened(self, port: str, parameters: Mapping[str, Parameter], has_output: bool) -> Device:
        """Take a port that was opened, with its controller file."""
        # Read outside of the lock: a disk may take its time.
        found = self._folder.find(port, parameters)
        device = Device(port, found, self._general)
        device.has_output = has_output
        with self.lock:
            self._open[port] = device
            if port in self._seen or len(self._seen) < MOST_PORTS:
                self._seen[port] = True
        return device

    def lost(self, port: str) -> None:
        """Take note of a port that went."""
        with self.lock:
            self._open.pop(port, None)
            if port in self._seen:
                self._seen[port] = False

    def find(self, port: str) -> Device | None:
        """Return the device of an open port."""
        return self._open.get(port)

    def all(self) -> list[Device]:
        """Return all open devices."""
        with self.lock:
            return list(self._open.values())

    def ports(self) -> Mapping[str, bool]:
        """Return the ports that were ever open, and whether each is now."""
        with self.lock:
            return dict(self._seen)

    def assignments(self) -> list[AssignedOn]:
        """Return what the controls of all open ports do."""
        with self.lock:
            return [
                AssignedOn(id, device.port, assignment)
                for device in self._open.values()
                for id, assignment in device.assignments.items()
            ]

    def assign(self, device: Device, assignment: Assignment) -> None:
        """Assign a control from now on, and write it in a thread of its own; what cannot be written costs a line."""
        with self.lock:
            device.assign(assignment)
            self._tasks = [task for task in self._tasks if not task.is_done]
            self._tasks.append(BackgroundTask("writing a controller file", lambda: self._write_or_tell(device)))

    def forget(self, id: str) -> None:
        """Take an assignment away and write that. Raises ConfigError for an unknown one, and where it cannot be written."""
        with self.lock:
            device = next((one for one in self._open.values() if one.forget(id)), None)
        if device is None:
            raise ConfigError("There is no such MIDI assignment any more; ask for the list again.")
        self._write(device)

    def close(self, within_s: float) -> None:
        """Wait for what is being written."""
        for task in self._tasks:
            task.wait(within_s)

    def _write(self, device: Device) -> None:
        self._folder.write(device.path, lambda: device.file)

    def _write_or_tell(self, device: Device) -> None:
        try:
            self._write(device)
        except ConfigError as error:
            self._notify(str(error))
