"""Memory that a film of hours needs on its way into training and through a show.

    python -m benchmarks.long_clip --hours 2

A short clip is repeated without encoding it again. Each station runs in a process of its own: the clip analysis of `teach`, the cache of
decoded clips, what training reads of it, and the sound of a show. The goal is LIMIT_MIB of resident memory at the peak of each.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks.media_making import Kind, write_media
from benchmarks.private_desktop import ROOT
from benchmarks.record import append_record, print_table
from engine.audio.sources.media_file import MediaFileSource
from engine.core.clock import WallClock
from engine.core.errors import run_main
from engine.media.cleaning import SoundCleaner
from training.autopilot.clip_analysis import analyse_clip
from training.data.cache import load_clip
from training.data.footage import Footage
from training.data.video import ClipFormat

LIMIT_MIB = 400.0
SHORT_S, FPS, WIDTH, HEIGHT, RATE_HZ = 10.0, 25, 320, 180, 48000
FORMAT = ClipFormat(fps=20, image_size=32, sample_rate_hz=16000)
POLL_S = 0.02


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.long_clip", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--hours", type=float, default=2.0, help="length of the film (default 2)")
    parser.add_argument("--station", choices=list(STATIONS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help="where the film and the cache lie (default: a temporary folder)")
    arguments = parser.parse_args()
    if arguments.station:
        print(json.dumps(measured(STATIONS[arguments.station], arguments.folder)))
        return 0
    with tempfile.TemporaryDirectory(dir=arguments.folder) as place:
        folder = Path(place)
        film = write_long_clip(folder, arguments.hours)
        size_mib = film.stat().st_size / 2**20
        found = {name: _in_a_process(name, folder) for name in STATIONS}
    rows = [
        [name, one["peak_mib"], one["own_mib"], one["seconds"], "" if one["peak_mib"] <= LIMIT_MIB else "missed"]
        for name, one in found.items()
    ]
    print_table(["station", "peak MiB", "own MiB", "s", "goal"], rows)
    append_record("long_clip", {"hours": arguments.hours, "film_mib": round(size_mib, 1), "stations": found})
    return 1 if any(one["peak_mib"] > LIMIT_MIB for one in found.values()) else 0


def write_long_clip(folder: Path, hours: float) -> Path:
    """Write a film of that length: packets of a short one, over and over."""
    time_s = np.arange(round(SHORT_S * RATE_HZ)) / RATE_HZ
    tone_T = 0.3 * np.sin(2 * np.pi * 330.0 * time_s) * (np.sin(2 * np.pi * time_s) > 0.0)
    shade_HW = np.add.outer(np.arange(HEIGHT), np.arange(WIDTH))
    frames = [
        np.stack([shade_HW + round(60 * np.sin(2 * np.pi * number / FPS))] * 3, axis=2).clip(0, 255).astype(np.uint8)
        for number in range(round(SHORT_S * FPS))
    ]
    kind = Kind(extension="mkv", video="libx264", sound="flac", keyframes=FPS)
    short = write_media(folder / "short.mkv", kind, tone_T[:, None].astype(np.float32), frames, FPS)
    with av.open(str(short)) as given, av.open(str(folder / FILM), "w") as written:
        tracks = {track.index: written.add_stream_from_template(track) for track in given.streams}
        for number in range(round(hours * 3600.0 / SHORT_S)):
            given.seek(0)
            for packet in given.demux():
                if packet.dts is None or packet.pts is None or packet.time_base is None:
                    continue
                shift = round(number * SHORT_S / packet.time_base)
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                packet.stream = tracks[packet.stream.index]
                written.mux(packet)
    return folder / FILM


FILM, CACHE = "film.mkv", "cache"


def _analyse(folder: Path) -> None:
    analyse_clip(folder / FILM)


def _cache(folder: Path) -> None:
    load_clip(folder / FILM, FORMAT, folder / CACHE).notices()


def _training(folder: Path) -> None:
    """Draw sequences from all over the clip, as an hour of training does."""
    footage = Footage.of([load_clip(folder / FILM, FORMAT, folder / CACHE)], 8)
    footage.mean_frame()
    clip = footage.training[0].clip
    for start in np.random.default_rng(0).integers(0, len(clip.frames_NHWC) - 8, 2000).tolist():
        np.array(clip.frames_NHWC[start : start + 8]).sum()
        np.array(clip.sound_S[start * 800 : (start + 8) * 800]).sum()


def _show(folder: Path) -> None:
    source = MediaFileSource(folder / FILM)
    source.start()
    cleaner = SoundCleaner(source.rate_hz)
    while (block := source.read()) is not None:
        cleaner.feed(block[0])
    source.close()


STATIONS: Mapping[str, Callable[[Path], None]] = {
    "clip analysis": _analyse,
    "cache": _cache,
    "training": _training,
    "show": _show,
}


def measured(run: Callable[[Path], None], folder: Path) -> dict[str, float]:
    """Run a station; return its peak of resident memory, its own part without the libraries' and other mapped files, and its time."""
    ended, own_kib, begun_s = threading.Event(), [0], WallClock().now_s()

    def watch() -> None:
        while not ended.wait(POLL_S):
            own_kib[0] = max(own_kib[0], _status_kib("RssAnon"))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    run(folder)
    ended.set()
    thread.join()
    return {
        "peak_mib": round(_status_kib("VmHWM") / 1024, 1),
        "own_mib": round(own_kib[0] / 1024, 1),
        "seconds": round(WallClock().now_s() - begun_s, 1),
    }


def _status_kib(name: str) -> int:
    with contextlib.suppress(OSError):
        found = re.search(rf"^{name}:\s+(\d+)", Path("/proc/self/status").read_text(), re.MULTILINE)
        return int(found[1]) if found else 0
    return 0


def _in_a_process(station: str, folder: Path) -> dict[str, Any]:
    asked = [sys.executable, "-P", "-m", "benchmarks.long_clip", "--station", station, "--folder", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    answer = subprocess.run(asked, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(answer.stdout.splitlines()[-1])


if __name__ == "__main__":
    run_main(main)
