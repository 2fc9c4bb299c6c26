"""A MIDI device that sends random hostile bytes: python -m benchmarks.fuzz_midi_sender NAME SEED A_SECOND

Its input and output are in JACK. Each line it reads is answered with the number of messages that it has sent; it ends when its input is
closed.
"""

from __future__ import annotations

import random
import sys
import threading
from typing import Any

from benchmarks.midi_hostile import hostile
from engine.core.clock import WallClock


def main() -> None:
    import rtmidi2

    name, seed, a_second = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    library: Any = rtmidi2
    output = library.MidiOut(name, api=library.API_UNIX_JACK)
    output.open_virtual_port("out")
    # What the show tells it, it takes and forgets.
    arrival = library.MidiIn(name, api=library.API_UNIX_JACK)
    arrival.callback = lambda message, delta_s: None
    arrival.open_virtual_port("in")
    sent = 0

    def answer() -> None:
        for _ in sys.stdin:
            print(sent, flush=True)

    asked = threading.Thread(target=answer, daemon=True)
    asked.start()
    clock, rolled = WallClock(), random.Random(seed)
    began_s = clock.now_s()
    while asked.is_alive():
        while sent < (clock.now_s() - began_s) * a_second:
            output.send_raw(*hostile(rolled))
            sent += 1
        clock.sleep(0.001)


if __name__ == "__main__":
    main()
