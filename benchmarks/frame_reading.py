"""Processor time of reading a clip's frames for training, beside the plain way.

    python -m benchmarks.frame_reading [--seconds 60] [--pairs 3]

A film of 1920x1080 at 30 fps with noise is read at 20 and 30 fps to 128 and 256 pixels. The plain way, as in the version before,
converts every frame whole (swscale's quick conversion, which knows neither tags nor HDR), then crops and resizes it by area.
Both take turns; the median of the pairs' ratios is told.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import av
import cv2
import numpy as np

from benchmarks.record import append_record, print_table
from engine.core.errors import run_main
from engine.media.geometry import centred_box
from training.data.frames import at_frame_rate, read_frames
from training.data.video import ClipFormat

WIDTH, HEIGHT, FPS = 1920, 1080, 30
SHAPES = ((20, 128), (20, 256), (30, 256))


def write_film(path: Path, seconds: int) -> Path:
    """Write a film of moving stripes with noise."""
    random = np.random.default_rng(0)
    noise_HWC = random.integers(0, 24, (HEIGHT + 64, WIDTH + 64, 3), np.uint8)
    stripes_W = (np.arange(WIDTH) % 200).astype(np.uint8)[None, :, None]
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(seconds * FPS):
            x, y = random.integers(0, 64, 2)
            frame_HWC = np.roll(stripes_W, 4 * number, axis=1) + noise_HWC[y : y + HEIGHT, x : x + WIDTH]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame_HWC, format="rgb24")))
        container.mux(stream.encode())
    return path


def plain(path: Path, clip_format: ClipFormat) -> Iterator[Any]:
    """Read frames as the version before did."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        yield from at_frame_rate(_converted(container, stream, clip_format.frame_size.height), clip_format.fps)


def _converted(container: Any, stream: Any, side: int) -> Iterator[tuple[float, float, Any]]:
    for frame in container.decode(stream):
        pixels_HWC = frame.to_ndarray(format="rgb24")
        box = centred_box(frame.width, frame.height)
        cropped = np.ascontiguousarray(pixels_HWC[box.y : box.y + box.height, box.x : box.x + box.width])
        small = cv2.resize(cropped, (side, side), interpolation=cv2.INTER_AREA)
        yield float(frame.time), 1.0 / FPS, small


def cost_s(read: Callable[[], Iterator[Any]]) -> float:
    """Return the processor time of reading all frames, of all threads."""
    begin_s = time.process_time()
    for _ in read():
        pass
    return time.process_time() - begin_s


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the processor time of reading frames.")
    parser.add_argument("--seconds", type=int, default=60, help="length of the film (default 60)")
    parser.add_argument("--pairs", type=int, default=3, help="readings of each way (default 3)")
    arguments = parser.parse_args()
    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory() as folder:
        path = write_film(Path(folder, "film.mp4"), arguments.seconds)
        for fps, side in SHAPES:
            clip_format = ClipFormat(fps=fps, image_size=side, sample_rate_hz=16000)
            pairs = [
                (
                    cost_s(lambda form=clip_format: plain(path, form)),
                    cost_s(lambda form=clip_format: read_frames(path, form)),
                )
                for _ in range(arguments.pairs)
            ]
            plain_s, reader_s = (median(column) for column in zip(*pairs, strict=True))
            rows.append([fps, side, plain_s, reader_s, median(after / before for before, after in pairs)])
    headings = ["fps", "pixels", "plain s", "reader s", "ratio"]
    print_table(headings, rows)
    append_record("frame_reading", {"seconds": arguments.seconds, "headings": headings, "rows": rows})
    return 0


if __name__ == "__main__":
    run_main(main)
