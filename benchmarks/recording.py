"""Memory of a long recording to one file: tiny frames as fast as they can be written.

    python -m benchmarks.recording --frames 200000 [--suffix .mp4]

200,000 frames are 56 minutes of show at 60 fps. The first tenth does not count: pools fill up. The file is read again at the end:
its duration, its frames and where a jump to nine tenths leads.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil

from benchmarks.record import append_record, print_table
from engine.core.clock import WallClock
from engine.core.errors import run_main
from engine.output.frame import ShowFormat
from engine.output.recording.video_writer import Recording
from engine.output.recording.write_queue import QueuedFrame

SAMPLES = 100
SIDE, FPS, RATE_HZ = 16, 60.0, 48000
MIB = 2**20


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure how memory grows while one long file is recorded.")
    parser.add_argument("--frames", type=int, default=200_000, help="frames to write (default 200000)")
    parser.add_argument("--suffix", default=".mp4", help="format of the file (default .mp4)")
    parser.add_argument("--no-record", action="store_true", help="print only")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder) / f"show{arguments.suffix}", arguments.frames)
    print_table(list(figures), [list(figures.values())])
    if not arguments.no_record:
        append_record("recording", {**figures, "suffix": arguments.suffix})
    return 0


def measure(path: Path, frames: int) -> dict[str, Any]:
    """Write a file, and return how resident memory grew and what the file says."""
    clock, process = WallClock(), psutil.Process()
    show = ShowFormat(
        title="night", width=SIDE, height=SIDE, fps=FPS, sound_rate_hz=RATE_HZ, sound_channels=1, live=True
    )
    recording, hop_samples, resident_bytes = Recording(path, show), round(RATE_HZ / FPS), list[int]()
    silence_TC = np.zeros((hop_samples, 1), np.float32)
    levels = [np.full((SIDE, SIDE, 3), level, np.uint8) for level in range(256)]
    every = max(1, frames // SAMPLES)
    for index in range(frames):
        recording.write(
            QueuedFrame(
                pixels_HWC=levels[index % 256],
                sound_TC=silence_TC,
                first_sample=hop_samples * index,
                time_s=(index + 1) / FPS,
            )
        )
        if index % every == 0:
            resident_bytes.append(process.memory_info().rss)
    ended_s = clock.now_s()
    recording.finish()
    finish_s, last = clock.now_s() - ended_s, process.memory_info().rss
    counted = resident_bytes[SAMPLES // 10 :]
    hours = 0.9 * frames / FPS / 3600.0
    return {
        "frames": frames,
        "growth_mib": (counted[-1] - counted[0]) / MIB,
        "mib_an_hour": (counted[-1] - counted[0]) / MIB / hours,
        "peak_mib": max(*counted, last) / MIB,
        "finish_s": finish_s,
        **read(path, frames / FPS),
    }


def read(path: Path, duration_s: float) -> dict[str, Any]:
    """Return what a player finds: durations, frames, and the error of a jump to nine tenths of the file."""
    with av.open(str(path)) as container:
        video, wanted_s = container.streams.video[0], 0.9 * duration_s
        container.seek(round(wanted_s * av.time_base))
        reached_s = float(next(container.decode(video)).time or 0.0)
        return {
            "duration_error_ms": 1e3 * ((container.duration or 0) / av.time_base - duration_s),
            "frames_listed": video.frames,
            "jump_error_s": reached_s - wanted_s,
        }


if __name__ == "__main__":
    run_main(main)
