"""Another peer of a Link session, as a process of its own: python link_peer.py BPM

It prints a line of JSON every 20 ms, [time, beats, bpm, playing, peers], and takes lines: "bpm 133", "play", "stop". It ends with its input.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import threading
import time
from typing import Any


def read_commands(link: Any, closing: threading.Event) -> None:
    for line in sys.stdin:
        match line.split():
            case ["bpm", bpm]:
                link.tempo = float(bpm)
            case ["play" | "stop" as word]:
                link.playing = word == "play"
            case _:
                pass
    closing.set()


async def join(bpm: float) -> None:
    aalink: Any = importlib.import_module("aalink")
    link: Any = aalink.Link(bpm)
    link.quantum = 4.0
    link.start_stop_sync_enabled = True
    link.enabled = True
    closing = threading.Event()
    threading.Thread(target=read_commands, args=(link, closing), daemon=True).start()
    while not closing.is_set():
        before_s = time.perf_counter()
        beats = link.beat
        at_s = 0.5 * (before_s + time.perf_counter())
        print(json.dumps([at_s, beats, link.tempo, link.playing, link.num_peers]), flush=True)
        await asyncio.sleep(0.02)


if __name__ == "__main__":
    asyncio.run(join(float(sys.argv[1])))
