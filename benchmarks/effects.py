"""Cost of effects and flash guard, by effect and size.

    python -m benchmarks.effects [--sheet docs/pictures/effects.png] [--stills docs/pictures/]

Milliseconds of processor time a frame on one thread, which other work on the machine changes little: every effect alone, all
together, the flash guard with nothing to soften, and while it softens a strobe. Effects that reach into the surround are measured with a screen of 16:9, as in a full-screen window; the flash guard's cost of
that backdrop is in theirs. Sharpening is measured at 1920 x 1080. The frames are the shipped model's own (of the demo, at its loudest),
enlarged. `--sheet` draws every effect on them; `--stills` draws one frame an effect into files of that folder, on a screen of 16:9.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.record import append_record, print_table
from engine.app.config import DEFAULT_MODEL
from engine.audio.source import Source
from engine.audio.sources.demo import demo_source
from engine.audio.window_buffer import WindowBuffer
from engine.control.parameter_table import PALETTES
from engine.core.errors import run_main
from engine.core.fit import fit_inside, resize
from engine.model.backends.onnx_cpu import open_model
from engine.model.session import Session
from engine.output.sharpening import fit_sharpened, reach_px, sharpened
from engine.render.effects.chain import EffectChain
from engine.render.effects.effect_parameters import NEUTRAL, EffectParameters

SIDES = (128, 256, 512, 1024)
SPENT_S = 0.6
"""Processor time spent on each figure."""
SCREEN = (1920, 1080)
EFFECTS = {
    "mirror": EffectParameters(mirror=True, guarded=False),
    "zoom": EffectParameters(zoom=1.07, guarded=False),
    "colour_turn": EffectParameters(colour_turn=0.1, guarded=False),
    "glow": EffectParameters(glow=0.5, guarded=False),
    "trail": EffectParameters(trail=0.5, guarded=False),
    "brightness": EffectParameters(brightness=1.2, guarded=False),
    "palette": EffectParameters(palette=0, palette_amount=1.0, guarded=False),
    "degrain": EffectParameters(degrain=0.5, guarded=False),
    "soft edges, 16:9": EffectParameters(screen=SCREEN, guarded=False),
    "kaleidoscope, 16:9": EffectParameters(screen=SCREEN, kaleidoscope=6, kaleidoscope_turn=0.1, guarded=False),
    "tiles, 16:9": EffectParameters(screen=SCREEN, tiles=2.5, guarded=False),
    "feedback, 16:9": EffectParameters(screen=SCREEN, feedback=0.5, feedback_turn=0.1, guarded=False),
}
ALL = EffectParameters(mirror=True, zoom=1.07, colour_turn=0.1, glow=0.5, trail=0.5, brightness=1.2, guarded=False)

STILL_SIZE = (384, 216)
STILLS = {
    "surround": EffectParameters(screen=SCREEN, soft_edges=False, guarded=False),
    "soft-edges": EffectParameters(screen=SCREEN, guarded=False),
    "vignette": EffectParameters(screen=SCREEN, vignette=0.7, guarded=False),
    "background": EffectParameters(screen=SCREEN, vignette=0.5, background=(0.25, 0.6, 0.8), guarded=False),
    "mirror": EffectParameters(screen=SCREEN, mirror=True, guarded=False),
    "zoom": EffectParameters(screen=SCREEN, zoom=1.6, guarded=False),
    "kaleidoscope": EffectParameters(screen=SCREEN, kaleidoscope=6, kaleidoscope_turn=0.1, guarded=False),
    "colour-turn": EffectParameters(screen=SCREEN, colour_turn=0.35, guarded=False),
    **{
        f"palette-{name}": EffectParameters(screen=SCREEN, palette=index, palette_amount=1.0, guarded=False)
        for index, name in enumerate(PALETTES)
    },
    "tiles-1": EffectParameters(screen=SCREEN, tiles=1.0, guarded=False),
    "tiles-3": EffectParameters(screen=SCREEN, tiles=3.0, guarded=False),
    "glow": EffectParameters(screen=SCREEN, glow=1.0, guarded=False),
    "feedback": EffectParameters(screen=SCREEN, feedback=0.6, feedback_zoom=2.0, feedback_turn=0.3, guarded=False),
    "trail": EffectParameters(screen=SCREEN, trail=0.8, guarded=False),
}
SHEET_S, SHEET_FRAMES, SHEET_SIDE, FPS = 17.5, 6, 128, 20
SHEET: dict[str, Callable[[int], EffectParameters]] = {
    "the model's own frames": lambda n: EffectParameters(guarded=False),
    "zoom, driven by an onset": lambda n: EffectParameters(zoom=1.0 + 0.35 * fading(n), guarded=False),
    "glow, driven by an onset": lambda n: EffectParameters(glow=1.0 * fading(n), guarded=False),
    "colours rotated by an onset": lambda n: EffectParameters(colour_turn=0.15 * fading(n), guarded=False),
    "trail 0.7": lambda n: EffectParameters(trail=0.7, guarded=False),
    "all of them": lambda n: EffectParameters(
        zoom=1.0 + 0.12 * fading(n), glow=0.6 * fading(n), colour_turn=0.06 * fading(n), trail=0.4, guarded=False
    ),
    "brightness as a strobe": lambda n: EffectParameters(brightness=(0.15, 1.4)[n % 2], guarded=False),
    "the same, guarded": lambda n: EffectParameters(brightness=(0.15, 1.4)[n % 2]),
}


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the cost of effects and flash guard.")
    parser.add_argument("--sheet", help="draw the effects into this PNG, and measure nothing")
    parser.add_argument("--stills", type=Path, help="draw one frame an effect into this folder, and measure nothing")
    parser.add_argument("--no-record", action="store_true", help="print only")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    if arguments.sheet:
        cv2.imwrite(arguments.sheet, cv2.cvtColor(sheet(played(demo_source(), SHEET_S)), cv2.COLOR_RGB2BGR))
        return 0
    if arguments.stills:
        draw_stills(played(demo_source(), SHEET_S), arguments.stills)
        return 0
    frames = played(demo_source(), SHEET_S)[-8:]
    figures: dict[str, dict[str, float]] = {}
    for side in SIDES:
        sized = [cv2.resize(frame, (side, side), interpolation=cv2.INTER_CUBIC) for frame in frames]
        guard_ms = median_ms(sized, NEUTRAL)
        costs = {name: median_ms(sized, effects) - guard_ms for name, effects in EFFECTS.items()}
        costs |= {
            "all effects": median_ms(sized, ALL) - guard_ms,
            "guard": guard_ms,
            "guard, softening": strobe_ms(side),
            "sharpen, to 1080p": sharpening_ms(sized),
        }
        figures[str(side)] = {name: round(max(cost, 0.0), 3) for name, cost in costs.items()}
    rows = [[name, *(figures[str(side)][name] for side in SIDES)] for name in figures[str(SIDES[0])]]
    print_table(["ms a frame", *map(str, SIDES)], rows)
    if not arguments.no_record:
        append_record("effects", {"median_ms": figures, "opencv": cv2.__version__}, model=Path(DEFAULT_MODEL).name)
    return 0


def played(source: Source, seconds: float) -> list[NDArray[np.uint8]]:
    """Return the shipped model's frames of a source's first seconds, without effects."""
    session = Session(open_model(Path(DEFAULT_MODEL), 1))
    window_buffer, frames = WindowBuffer(session.card, source.rate_hz, source.channels), list[NDArray[np.uint8]]()
    hops = round(seconds / session.card.hop_s)
    source.start()
    while window_buffer.received_samples < hops * session.card.hop_samples:
        came = source.read()
        if came is None:
            window_buffer.finish()
            break
        window_buffer.append(*came)
    source.close()
    for index in range(min(hops, window_buffer.received_samples // session.card.hop_samples)):
        frames.append(session.step(window_buffer.window(index), {}, index).pixels_HWC.copy())
    return frames


def fading(n: int) -> float:
    """Return what is left of an onset at the sheet's second frame; before it, none."""
    return math.exp(-(n % SHEET_FRAMES - 1) / (0.15 * FPS)) if n % SHEET_FRAMES else 0.0


def sheet(frames: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Draw one row an effect: its name, and the newest frames one after another."""
    frames = frames[len(frames) % SHEET_FRAMES :]
    rows: list[NDArray[np.uint8]] = []
    for name, effects_of in SHEET.items():
        effect_chain = EffectChain()
        shown = [effect_chain.apply(frame, effects_of(n), n / FPS) for n, frame in enumerate(frames)][-SHEET_FRAMES:]
        size = (SHEET_SIDE, SHEET_SIDE)
        row = np.hstack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in shown])
        label = np.full((24, row.shape[1], 3), 24, np.uint8)
        cv2.putText(label, name, (8, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (230, 230, 230), 1, cv2.LINE_AA)
        rows += [label, row]
    return np.vstack(rows)


def draw_stills(frames: list[NDArray[np.uint8]], folder: Path) -> None:
    """Write one JPEG an effect, with what the frames before have left in it, and one of the enlarging with its filters."""
    for name, effects in STILLS.items():
        effect_chain = EffectChain()
        shown_HWC = [effect_chain.apply(frame, effects, n / FPS) for n, frame in enumerate(frames[-40:])][-1]
        write_jpeg(folder / f"effect-{name}.jpg", fit_inside(shown_HWC, *STILL_SIZE, finely=True))
    write_jpeg(folder / "effect-sharpen.jpg", enlarged_parts(frames[-1]))


def enlarged_parts(frame_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a part of a frame as it is on a wall: enlarged alone, with its grain taken out, and sharpened as well."""
    side = frame_HWC.shape[0] // 4
    part = np.s_[side : 2 * side, side : 2 * side]
    smooth_HWC = EffectChain().apply(frame_HWC, EffectParameters(degrain=0.6, guarded=False), 0.0)
    parts = [
        fit_sharpened(np.ascontiguousarray(of_HWC[part]), 4 * side, 4 * side, strength, finely=True)
        for of_HWC, strength in ((frame_HWC, 0.0), (smooth_HWC, 0.0), (smooth_HWC, 0.8))
    ]
    return np.hstack(parts)


def write_jpeg(path: Path, pixels_HWC: NDArray[np.uint8]) -> None:
    cv2.imwrite(str(path), cv2.cvtColor(pixels_HWC, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 82])


def sharpening_ms(frames: list[NDArray[np.uint8]]) -> float:
    """Return the median cost of sharpening what was enlarged to the height of SCREEN, without the enlarging."""
    side = SCREEN[1]
    enlarged = [resize(frame, side, side) for frame in frames[:2]]
    reach = reach_px(frames[0].shape[1], side)
    return _median_ms(lambda n: sharpened(enlarged[n % 2], 0.5, reach))


def median_ms(frames: list[NDArray[np.uint8]], effects: EffectParameters) -> float:
    """Return the median cost of a frame, of several in turn, with nothing to soften."""
    effect_chain = EffectChain()
    # So slowly that nothing is a flash.
    return _median_ms(lambda n: effect_chain.apply(frames[n % len(frames)], effects, 2.0 * n))


def strobe_ms(side: int) -> float:
    effect_chain = EffectChain()
    levels = [np.full((side, side, 3), level, np.uint8) for level in (0, 255)]
    for n in range(60):
        effect_chain.apply(levels[n % 2], NEUTRAL, n / 60)
    return _median_ms(lambda n: effect_chain.apply(levels[n % 2], NEUTRAL, 1.0 + n / 60))


def _median_ms(apply: Callable[[int], object]) -> float:
    costs, started_s = list[float](), time.thread_time()
    while time.thread_time() - started_s < SPENT_S or len(costs) < 20:
        began_s = time.thread_time()
        apply(len(costs))
        costs.append(time.thread_time() - began_s)
    return 1e3 * float(np.median(costs[5:]))


if __name__ == "__main__":
    run_main(main)
