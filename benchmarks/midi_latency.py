"""How long a control's movement takes from the device to the parameter, over JACK.

    python -m benchmarks.midi_latency --moves 500

A device in a process of its own sends a control with the time at which it did; measured is the time until a subscriber of the store
is told. JACK hands messages on once a period of 1.3 ms. The next hop plays the value; the model's parameters are seen with the frame of that
hop, effects with the next frame of the display.
"""

from __future__ import annotations

import argparse
import os
import queue
import subprocess
import sys
from typing import Any

import numpy as np

from benchmarks.private_desktop import ROOT, PrivateDesktop, wait_until
from benchmarks.private_jack import PACKAGES, PROGRAMS, start_jack
from benchmarks.record import append_record, print_table
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import TABLE
from engine.control.remotes.midi.midi_remote import MidiRemote, MidiWishes
from engine.control.remotes.midi.ports import AskedPorts
from engine.control.remotes.remote_access import RemoteAccess
from engine.control.subscription import StoreChange
from engine.core.clock import WallClock
from engine.core.errors import run_main

DEVICE, CONTROLLER, PARAMETER = "mover", 21, "glow"
MOVES_A_SECOND = 40.0
LOST_AFTER_S = 2.0
SENDER = """
import sys, rtmidi2
from engine.core.clock import WallClock
clock, output = WallClock(), rtmidi2.MidiOut(sys.argv[1], api=rtmidi2.API_UNIX_JACK)
output.open_virtual_port("out")
for line in sys.stdin:
    print("sent", clock.now_s(), flush=True)
    output.send_raw(0xB0, int(sys.argv[2]), int(line))
"""


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the way of a MIDI control to its parameter.")
    parser.add_argument("--moves", type=int, default=500, help="how many (default 500)")
    parser.add_argument("--no-record", action="store_true", help="only print")
    arguments = parser.parse_args()
    with PrivateDesktop("midi latency", PROGRAMS, PACKAGES) as stage:
        start_jack(stage)
        os.environ.update({name: stage.environment[name] for name in ("JACK_DEFAULT_SERVER", "JACK_NO_START_SERVER")})
        figures = measure(stage, arguments.moves)
    print_table(list(figures), [list(figures.values())])
    if not arguments.no_record:
        append_record("midi_latency", {"moves": arguments.moves, **figures})
    return 0


def measure(stage: PrivateDesktop, moves: int) -> dict[str, Any]:
    """Return how long the movements took, in milliseconds."""
    clock, store, told = WallClock(), ParameterStore(TABLE), queue.SimpleQueue[float]()
    asked = AskedPorts(ports=(DEVICE,), api="jack")
    wishes = MidiWishes(asked=asked, parameters={CONTROLLER: PARAMETER}, folder=str(stage.folder))
    midi = MidiRemote(RemoteAccess(store), wishes)

    def note(change: StoreChange) -> None:
        # The first change brings the whole table.
        if change.parameters is None:
            told.put(clock.now_s())

    mirror = store.subscribe(note, "mirror")
    device = subprocess.Popen(
        [sys.executable, "-c", SENDER, DEVICE, str(CONTROLLER)],
        env=stage.environment,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    midi.start()
    wait_until(lambda: any(midi.devices.ports().values()), "the port")
    assert device.stdin
    assert device.stdout
    took_ms, lost = list[float](), 0
    for number in range(moves):
        device.stdin.write(f"{64 + number % 2}\n")
        device.stdin.flush()
        sent_s = next(float(line.split()[1]) for line in device.stdout if line.startswith("sent"))
        try:
            took_ms.append(1e3 * (told.get(timeout=LOST_AFTER_S) - sent_s))
        except queue.Empty:
            # JACK drops messages silently when a program misses a period.
            lost += 1
        clock.sleep(1.0 / MOVES_A_SECOND)
    midi.close()
    mirror.close()
    device.communicate()
    p50_ms, p95_ms = np.percentile(took_ms, [50, 95])
    return {"lost": lost, "p50_ms": round(p50_ms, 2), "p95_ms": round(p95_ms, 2), "max_ms": round(max(took_ms), 2)}


if __name__ == "__main__":
    run_main(main)
