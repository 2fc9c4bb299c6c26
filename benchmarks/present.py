"""What it costs to bring a picture to the screen.

    python -m benchmarks.present [--frames 200] [--sizes 768x768 1280x720 1920x1080]

Every window and every way to enlarge fills a virtual screen (Xvfb, openbox) of each size, where GL runs on the processor: the
table says milliseconds a picture, and the processor time of this process and of the X server. On a machine with a graphics card
`--here` takes the screen that DISPLAY names, and its monitor's own size; there the monitor sets the pace.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context

import numpy as np
import psutil

from benchmarks.private_desktop import SCREEN_PROGRAMS, PrivateDesktop
from benchmarks.record import append_record, print_table
from engine.audio.features.audio_features import AudioFeatures
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import TABLE
from engine.core.clock import WallClock
from engine.core.errors import SinkError, run_main
from engine.output.frame import Frame, ShowFormat
from engine.output.sink import WindowSink
from engine.output.window.gl_window import GlWindow
from engine.output.window.opencv_window import OpenCvWindow
from engine.output.window.resampling_kernels import KERNELS, PROCESSOR
from engine.output.window.window_config import WindowConfig

WARM_UP = 20
PICTURE_HEIGHT = 256
LINES = ("frame age\t23 ms, 95 % under 41 ms", "shown\t60.0 a second", "skipped\t0 of 1200 hops")
HEADINGS = ["size", "window", "p50 ms", "p95 ms", "processor ms", "X server ms"]


def main() -> int:
    parser = argparse.ArgumentParser(description="Time the showing of a picture.")
    parser.add_argument("--frames", type=int, default=200, help="pictures a row, after a warm-up (default 200)")
    parser.add_argument("--sizes", nargs="+", default=["768x768", "1280x720", "1920x1080"], help="of the screen")
    parser.add_argument("--here", action="store_true", help="use the screen of DISPLAY instead of virtual ones")
    arguments = parser.parse_args()
    rows: list[list[object]] = []
    for size in ["screen"] if arguments.here else arguments.sizes:
        for name, upscale, overlay in ways():
            with here() if arguments.here else virtual_screen(size) as server:
                # A process of its own for each: Qt ends with its first screen.
                with ProcessPoolExecutor(1, get_context("spawn")) as process:
                    figures = process.submit(measure, upscale, overlay, size, arguments.frames, server).result()
                rows.append([size, name, *figures])
            print_table(HEADINGS, rows[-1:])
    print()
    print_table(HEADINGS, rows)
    append_record("present", {"frames": arguments.frames, "headings": HEADINGS, "rows": rows})
    return 0


def ways() -> list[tuple[str, str | None, bool]]:
    """Return name, upscaler (None: OpenCV's window) and whether the overlay is on."""
    gl = [(f"gl {upscale}", upscale, False) for upscale in (*KERNELS, PROCESSOR)]
    return [*gl, (f"gl {PROCESSOR}, overlay", PROCESSOR, True), ("opencv", None, False)]


@contextmanager
def virtual_screen(size: str) -> Iterator[int | None]:
    """Run an X server with one monitor of that size, and a window manager."""
    width, height = map(int, size.split("x"))
    with PrivateDesktop("present", SCREEN_PROGRAMS, "xvfb openbox") as stage:
        server = stage.start_screen(width, height)
        os.environ["DISPLAY"] = stage.display
        yield server.pid


@contextmanager
def here() -> Iterator[int | None]:
    """Take the screen there is."""
    yield None


def measure(upscale: str | None, overlay: bool, size: str, frames: int, server: int | None) -> list[float]:
    """Return p50 and p95 of one `show`, this process's and the server's processor time, in milliseconds."""
    store = ParameterStore(TABLE, {"overlay": overlay})
    window: WindowSink = (
        OpenCvWindow(store, WindowConfig(fullscreen=True))
        if upscale is None
        else GlWindow(store, WindowConfig(fullscreen=True, upscale=upscale, overlay_lines=lambda: LINES))
    )
    pictures = pictures_for(size)
    height, width = pictures[0].pixels_HWC.shape[:2]
    clock, taken_s = WallClock(), list[float]()
    try:
        window.open(
            ShowFormat(title="", width=width, height=height, fps=60, sound_rate_hz=48000, sound_channels=1, live=True)
        )
        for index in range(WARM_UP):
            window.show(pictures[index % len(pictures)])
            # The window manager and Qt take their time to make it fill the screen.
            clock.sleep(0.05)
        own_s, server_s = processor_s(os.getpid()), processor_s(server)
        for index in range(frames):
            began_s = clock.now_s()
            window.show(pictures[index % len(pictures)])
            taken_s.append(clock.now_s() - began_s)
        own_s, server_s = processor_s(os.getpid()) - own_s, processor_s(server) - server_s
        if not window.poll() or window.lost_frames:
            raise SinkError("The window was lost while it was measured; run it again.")
    finally:
        window.close()
    milliseconds = np.percentile(taken_s, [50, 95]) * 1e3
    return [*map(float, milliseconds), 1e3 * own_s / frames, 1e3 * server_s / frames]


def processor_s(process: int | None) -> float:
    """Return the processor time a process has had."""
    return sum(psutil.Process(process).cpu_times()[:2]) if process else 0.0


def pictures_for(size: str) -> list[Frame]:
    """Return a few pictures of a small model in the screen's shape."""
    width, height = map(int, size.split("x")) if "x" in size else (16, 9)
    shape = PICTURE_HEIGHT, round(PICTURE_HEIGHT * width / height), 3
    chance = np.random.default_rng(0)
    return [
        Frame(
            index=index,
            pixels_HWC=chance.integers(0, 256, shape).astype(np.uint8),
            features_F=np.zeros(1, np.float32),
            sound_TC=np.zeros((0, 1), np.float32),
            first_sample=0,
            time_s=0.0,
            captured_s=None,
            audio_features=AudioFeatures(level=0.5, tempo_bpm=120.0, certainty=1.0),
        )
        for index in range(8)
    ]


if __name__ == "__main__":
    run_main(main)
