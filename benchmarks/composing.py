"""Cost of composing a frame of a layered model: on the processor, and in a shader at the size of a window.

    python -m benchmarks.composing [--threads 1 2] [--gl]

Milliseconds a frame, median and 95th percentile, for a flow of 8², weights of 8², light and a residual of 128². Every texture has a flow of
its own and weight everywhere, which is the dearest case. --gl needs a screen and says on which renderer it ran; a shader's time is that of the draw
and the wait for its end.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.record import append_record, print_table
from engine.core.clock import WallClock
from engine.core.fit import Placement
from engine.model.compositor import Compositor
from engine.model.layers import Layers
from engine.output.window.gl_layers import GlLayers

# K textures, H W rows and columns

SIZES = ((256, 256), (512, 512), (1280, 720), (1920, 1080))
COUNTS = (1, 2, 3, 4)
FRAMES = 60


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what composing a frame costs.")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="threads that compose (default 1 2)")
    parser.add_argument("--gl", action="store_true", help="also in a shader, on this screen's renderer")
    arguments = parser.parse_args()
    headings = ["where", "frame", "textures", "p50 ms", "p95 ms"]
    rows = [row for threads in arguments.threads for row in on_processor(threads)]
    rows += in_shader() if arguments.gl else []
    print_table(headings, rows)
    append_record("composing", {"headings": headings, "rows": rows})


def on_processor(threads: int) -> list[list[object]]:
    """Return a row for each size and count."""
    import cv2

    # As in a show, where OpenCV's own threads would take the cores of others.
    cv2.setNumThreads(1)
    rows: list[list[object]] = []
    for width, height in SIZES:
        for count in COUNTS:
            layers = made_layers(count, width, height)
            compositor = Compositor(layers.textures, height, width, threads)
            took = measure(lambda of=layers, by=compositor: by.compose(of.fields))
            rows.append([f"processor, {threads} thread{'s' if threads > 1 else ''}", f"{width}x{height}", count, *took])
    return rows


def in_shader() -> list[list[object]]:
    """Return the same for windows of these sizes."""
    import moderngl

    context: Any = moderngl.create_standalone_context()
    gl_layers, rows = GlLayers(context), list[list[object]]()
    for width, height in SIZES:
        target, place = context.simple_framebuffer((width, height)), Placement(0, 0, width, height)
        for count in COUNTS:
            layers = made_layers(count, 1280, 720)

            def draw(
                layers: Layers = layers, target: Any = target, place: Placement = place, height: int = height
            ) -> None:
                gl_layers.draw(target, layers, place, height)
                context.finish()

            rows.append([context.info["GL_RENDERER"], f"{width}x{height}", count, *measure(draw)])
    return rows


def made_layers(count: int, width: int, height: int) -> Layers:
    """Return layers of K textures of a frame's size."""
    random = np.random.default_rng(0)

    def field(channels: int, side: int, reach: float) -> NDArray[np.float32]:
        return random.uniform(-reach, reach, (channels, side, side)).astype(np.float32)

    textures = tuple(random.integers(0, 256, (height, width, 3)).astype(np.uint8) for _ in range(count))
    fields = {"flow": field(2 * count, 8, 0.05), "light": 1.0 + field(1, 1, 0.1), "residual": field(3, 128, 0.1)}
    return Layers(textures, fields | ({"weights": 0.5 + field(count, 8, 0.2)} if count > 1 else {}))


def measure(compose: Callable[[], object]) -> tuple[float, float]:
    """Return the median and the 95th percentile in milliseconds."""
    clock, took_s = WallClock(), list[float]()
    for _ in range(FRAMES):
        started_s = clock.now_s()
        compose()
        took_s.append(clock.now_s() - started_s)
    return 1e3 * float(np.percentile(took_s, 50)), 1e3 * float(np.percentile(took_s, 95))


if __name__ == "__main__":
    main()
