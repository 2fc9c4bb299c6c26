"""Opens a MIDI port and prints what comes: python midi_process.py PORT [API]

A process of its own, since an error inside the MIDI library (rtmidi2 1.5: a port that goes while it is opened, a server that
ends) ends the whole process. It imports nothing of the engine, so that it starts fast.

Each line it prints is a JSON list: ["open", NAME], ["lost", NAME], ["missing", [NAMES]] while no port has such a name,
["no sequencer", REASON], or ["midi", BYTE, ...]. It ends when its input is closed.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

VIRTUAL = "virtual"
PORT_NAME = "fluid"
ALSA_SEQUENCER = Path("/dev/snd/seq")
POLL_S = 0.25
"""A device that is away for a shorter time is not missed."""
_pause = threading.Event()
"""Never set: only engine/core/clock.py reads the time."""


def say(*event: object) -> None:
    """Print one event."""
    os.write(sys.stdout.fileno(), (json.dumps(event) + "\n").encode())


def choose(port: str, names: Sequence[str]) -> str | None:
    """Return the first port whose name contains `port`."""
    return next((name for name in names if port.casefold() in name.casefold()), None)


def open_input(api: str) -> Any:
    """Return an input of the MIDI library with no port open. Raises RuntimeError on a machine without a sequencer."""
    # Asked first, since the library would fail at every attempt.
    if sys.platform == "linux" and api == "UNSPECIFIED" and not ALSA_SEQUENCER.exists():
        raise RuntimeError(f"{ALSA_SEQUENCER} is missing")
    rtmidi2: Any = importlib.import_module("rtmidi2")
    midi_input = rtmidi2.MidiIn(PORT_NAME, api=getattr(rtmidi2, f"API_{api}"))
    # The library leaves out the clock unless it is asked for.
    midi_input.ignore_types(midi_sysex=True, midi_time=False, midi_sense=True)
    midi_input.callback = _say_message
    return midi_input


def _say_message(message: list[int], delta_s: float) -> None:
    say("midi", *message)


def serve(port: str, api: str) -> NoReturn:
    """Open the port whenever it is there."""
    while True:
        try:
            midi_input = open_input(api)
        except RuntimeError as error:
            say("no sequencer", str(error))
        else:
            name = _open(midi_input, port)
            if name:
                say("open", name)
                _wait_until_lost(midi_input, port, name)
                say("lost", name)
            midi_input.callback = None
            del midi_input
        _pause.wait(POLL_S)


def _open(midi_input: Any, port: str) -> str | None:
    if port == VIRTUAL:
        midi_input.open_virtual_port(PORT_NAME)
        return PORT_NAME
    names = midi_input.ports
    name = choose(port, names)
    if name is None:
        say("missing", names)
        return None
    midi_input.open_port(names.index(name))
    return name


def _wait_until_lost(midi_input: Any, port: str, name: str) -> None:
    # A port of our own is always there.
    while port == VIRTUAL or name in midi_input.ports:
        _pause.wait(POLL_S)
    midi_input.close_port()


def _leave_no_core_files() -> None:
    """An error of the library that comes again and again must not fill the disk."""
    with suppress(ImportError):
        # Windows has no such module, and no such files.
        resource: Any = importlib.import_module("resource")
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _end_with_the_show() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    # The show ends it, after a Ctrl+C in their terminal too.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    _leave_no_core_files()
    threading.Thread(target=_end_with_the_show, daemon=True).start()
    serve(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "UNSPECIFIED")
