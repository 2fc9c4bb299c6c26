"""A MIDI device for tests, as a program of its own: python device_process.py NAME

It has an input and an output of the name NAME in JACK. It sends each line it reads, a JSON list of messages, and prints each message
that comes as a JSON list.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import rtmidi2


def main() -> None:
    name = sys.argv[1]
    library: Any = rtmidi2
    output = library.MidiOut(name, api=library.API_UNIX_JACK)
    output.open_virtual_port("out")
    arrival = library.MidiIn(name, api=library.API_UNIX_JACK)
    arrival.ignore_types(midi_sysex=True, midi_time=False, midi_sense=True)
    arrival.callback = lambda message, delta_s: print(json.dumps(list(message)), flush=True)
    arrival.open_virtual_port("in")
    print("ready", flush=True)
    for line in sys.stdin:
        for message in json.loads(line):
            output.send_raw(*message)


if __name__ == "__main__":
    main()
