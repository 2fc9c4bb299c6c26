"""Another peer of an Ableton Link session, in a process of its own: python -m benchmarks.link_peer BPM

It prints a line of JSON every 20 ms, [time, beats, bpm, playing, peers], and takes lines: "bpm 133", "play", "stop". It ends with
its input.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from engine.control.tempo.tempo_input import TempoPosition

REPORTED_EVERY_S = 0.02
ENDS_WITHIN_S = 5.0


class LinkPeer:
    """The other process, as its newest line says."""

    def __init__(self, bpm: float) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.link_peer", str(bpm)],
            cwd=Path(__file__).parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.position = TempoPosition(0.0, 0.0, bpm, True)
        self.plays, self.peers = False, 0
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @property
    def bpm(self) -> float:
        return self.position.bpm

    def tell(self, command: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(ENDS_WITHIN_S)

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            at_s, beats, bpm, self.plays, self.peers = json.loads(line)
            self.position = TempoPosition(at_s, beats, bpm, True)


def off_s(beats: float, there: TempoPosition, every: int = 4) -> float:
    """Return how far `beats` are from another clock at the time of its position, in seconds; more than 0 is ahead."""
    return ((beats - there.beats + 0.5 * every) % every - 0.5 * every) * 60.0 / there.bpm


def _read_commands(link: Any, closing: threading.Event) -> None:
    for line in sys.stdin:
        match line.split():
            case ["bpm", bpm]:
                link.tempo = float(bpm)
            case ["play" | "stop" as word]:
                link.playing = word == "play"
            case _:
                pass
    closing.set()


async def _join(bpm: float) -> None:
    aalink: Any = importlib.import_module("aalink")
    link: Any = aalink.Link(bpm)
    link.quantum = 4.0
    link.start_stop_sync_enabled = True
    link.enabled = True
    closing = threading.Event()
    threading.Thread(target=_read_commands, args=(link, closing), daemon=True).start()
    while not closing.is_set():
        before_s = time.perf_counter()
        beats = link.beat
        at_s = 0.5 * (before_s + time.perf_counter())
        print(json.dumps([at_s, beats, link.tempo, link.playing, link.num_peers]), flush=True)
        await asyncio.sleep(REPORTED_EVERY_S)


if __name__ == "__main__":
    asyncio.run(_join(float(sys.argv[1])))
