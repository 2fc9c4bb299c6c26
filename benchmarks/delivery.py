"""What files cost the step thread: the time of `FrameDelivery.deliver`, for sinks that it serves itself and for files.

    python -m benchmarks.delivery [--frames 600] [--side 512] [--size 1920x1080]

Both get the same frames of noise, at 60 fps, with trail, glow and zoom, the flash guard, and resizing. "hop" is a sink whose
frames are finished on the step thread, as those of files once were; "file" is one whose frames are finished beside it.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping

import cv2
import numpy as np

from benchmarks.record import append_record, print_table
from engine.core.clock import WallClock
from engine.core.errors import run_main
from engine.core.notices import Notices
from engine.output.film import FilmFormat, FilmSink, parse_size
from engine.output.frame import Frame, ShowFormat
from engine.output.null import NullSink
from engine.output.sink import FrameRate
from engine.render.delivery import FrameDelivery
from engine.render.runtime import Runtime
from engine.render.statistics import ShowStatistics

FPS = 60.0
VALUES: Mapping[str, float | int | bool] = {"trail": 0.5, "glow": 0.5, "zoom": 1.07}


class DroppingSink(NullSink):
    """Wants frames with effects and drops them."""

    with_effects = True

    def __init__(self, rate: FrameRate) -> None:
        self.name = rate
        self.rate: FrameRate = rate


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what finishing frames for files costs the step thread.")
    parser.add_argument("--frames", type=int, default=600, help="frames to deliver (default 600)")
    parser.add_argument("--side", type=int, default=512, help="side of the model's frames in pixels (default 512)")
    parser.add_argument("--size", default="1920x1080", help="size of the files (default 1920x1080)")
    parser.add_argument("--no-record", action="store_true", help="print only")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    figures = {rate: measure(rate, arguments.frames, arguments.side, arguments.size) for rate in ("hop", "file")}
    headings = ["sink", *figures["hop"]]
    print_table(headings, [[rate, *figures[rate].values()] for rate in figures])
    if not arguments.no_record:
        append_record("delivery", {"sinks": figures, "side": arguments.side, "size": arguments.size})
    return 0


def measure(rate: FrameRate, frames: int, side: int, size: str) -> dict[str, float]:
    """Deliver at 60 fps and return the durations on the step thread, in ms, and the frames that were lost."""
    clock, statistics = WallClock(), ShowStatistics()
    runtime = Runtime(clock=clock, statistics=statistics, notices=Notices(print), live=True)
    sink = FilmSink(DroppingSink(rate), FilmFormat(size=parse_size(size)))
    sink.open(ShowFormat(title="", width=side, height=side, fps=FPS, sound_rate_hz=48000, sound_channels=1, live=True))
    delivery, rng = FrameDelivery([sink], [], runtime), np.random.default_rng(0)
    made = [rng.integers(0, 256, (side, side, 3), np.uint8) for _ in range(8)]
    delivery.start()
    started_s = clock.now_s()
    for index in range(frames):
        delivery.deliver(
            Frame(
                index=index,
                pixels_HWC=made[index % len(made)],
                features_F=np.zeros(1, np.float32),
                sound_TC=np.zeros((800, 1), np.float32),
                first_sample=800 * index,
                time_s=(index + 1) / FPS,
                captured_s=None,
                values=VALUES,
            )
        )
        clock.sleep(max(0.0, started_s + (index + 1) / FPS - clock.now_s()))
    delivery.close()
    took = statistics.timings["finish"].summary()
    return {
        **{name: took[name] for name in ("p50_ms", "p99_ms", "max_ms")},
        "lost": sum(statistics.lost_frames.values()),
    }


if __name__ == "__main__":
    run_main(main)
