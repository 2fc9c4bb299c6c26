"""A sequencer whose clock trembles: python -m benchmarks.midi_clock_sender NAME BPM JITTER_S SEED

Once it has read a line, it prints when its first tick is due, sends start and then ticks through JACK, each early or late by up to
JITTER_S, and ends when its input is closed.
"""

from __future__ import annotations

import random
import sys
import threading
from typing import Any

from engine.control.remotes.midi.clock import CLOCKS_A_BEAT
from engine.core.clock import WallClock

BEGINS_AFTER_S = 0.5
SPINS_S = 0.002


def main() -> None:
    import rtmidi2

    name, bpm, jitter_s, seed = sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
    library: Any = rtmidi2
    output = library.MidiOut(name, api=library.API_UNIX_JACK)
    output.open_virtual_port("out")
    sys.stdin.readline()
    waiting = threading.Thread(target=sys.stdin.read, daemon=True)
    waiting.start()
    clock, rolled = WallClock(), random.Random(seed)
    begin_s = clock.now_s() + BEGINS_AFTER_S
    print(f"begins {begin_s}", flush=True)
    tick_s, number = 60.0 / bpm / CLOCKS_A_BEAT, 0
    while waiting.is_alive():
        due_s = begin_s + number * tick_s + rolled.uniform(-jitter_s, jitter_s)
        while (left_s := due_s - clock.now_s()) > 0.0:
            clock.sleep(max(0.0, left_s - SPINS_S))
        if number == 0:
            output.send_raw(0xFA)
        output.send_raw(0xF8)
        number += 1


if __name__ == "__main__":
    main()
