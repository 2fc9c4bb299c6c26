"""What the flash guard lets through, by the definition of WCAG 2.3.1, and what it leaves alone.

    python -m benchmarks.flashes [--sound FILE] [--strobes N]

Strobes of many kinds, frame rates and places go through the guard. The definition in
tests/engine/render/effects/flash_definition.py, which shares no code with it, counts the flashes before and after. Then the shipped
model plays the demo, and FILE, without effects and with strong ones: how many frames are softened, by how much, and the cost of
a frame. Cost is wall-clock time on this machine as it is.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.effects import played
from benchmarks.record import append_record, print_table
from engine.app.config import DEFAULT_MODEL
from engine.audio.features.audio_features import AudioFeatures
from engine.audio.sources.demo import demo_source
from engine.audio.sources.media_file import MediaFileSource
from engine.core.clock import WallClock
from engine.core.errors import run_main
from engine.model.file import read_card
from engine.render.effects.chain import EffectChain
from engine.render.effects.effect_parameters import effect_parameters
from engine.render.effects.flash_count import MOST_CHANGES
from engine.render.effects.flash_guard import FlashGuard
from tests.engine.render.effects.flash_definition import worst

Frames = list[NDArray[np.uint8]]

SIDE, SECONDS = 96, 3.0
RATES_HZ = (10, 20, 30, 60)
KINDS = ("white", "red-blue", "red-black", "halves in turn", "moving bar", "checks", "swell", "noise", "random cuts")
ONSETS_A_SECOND = 4.0
STRONG = {"onset_brightness": 0.6, "onset_zoom": 0.1, "onset_glow": 0.6, "onset_decay_ms": 120.0}


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what the flash guard lets through and what it leaves alone.")
    parser.add_argument("--sound", help="a sound or video file that the shipped model plays besides the demo")
    parser.add_argument("--strobes", type=int, default=8, help="shows of each kind (default 8)")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long the model plays (default 20)")
    parser.add_argument("--no-record", action="store_true", help="print only")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    strobes = [measure_kind(kind, arguments.strobes) for kind in KINDS]
    columns = ("shows", "harmful before", "harmful after", "most flashes before", "after", "harmless softened")
    print_table(["strobe", *columns], [[kind, *row.values()] for kind, row in zip(KINDS, strobes, strict=True)])
    sources: dict[str, Any] = {"demo": demo_source()}
    if arguments.sound:
        sources["sound"] = MediaFileSource(arguments.sound)
    model: dict[str, Any] = {}
    for name, source in sources.items():
        frames = played(source, arguments.seconds)
        model[name] = measure_play(frames, {})
        model[f"{name}, strong effects"] = measure_play(frames, STRONG)
    print()
    print_table(["shipped model", *next(iter(model.values()))], [[name, *row.values()] for name, row in model.items()])
    if not arguments.no_record:
        figures = {"strobes": dict(zip(KINDS, strobes, strict=True)), "played": model, "seconds": SECONDS}
        append_record("flashes", figures, model=Path(DEFAULT_MODEL).name)
    return 0


def measure_kind(kind: str, count: int) -> dict[str, int]:
    """Play shows of one kind through the guard and count flashes by the definition."""
    figures = dict.fromkeys(
        ("shows", "harmful_before", "harmful_after", "most_before", "most_after", "harmless_softened"), 0
    )
    for seed in range(count):
        random = np.random.default_rng([KINDS.index(kind), seed])
        rate_hz = RATES_HZ[seed % len(RATES_HZ)]
        times = (np.arange(round(SECONDS * rate_hz)) + random.uniform(0.0, 0.3)) / rate_hz
        frames = strobe(kind, rate_hz, random)
        guard = FlashGuard()
        shown = [guard.apply(frame_HWC, time) for frame_HWC, time in zip(frames, times, strict=True)]
        worst_before, worst_after = worst(frames, times), worst(shown, times)
        figures["shows"] += 1
        figures["harmful_before"] += worst_before.harmful
        figures["harmful_after"] += worst_after.harmful
        figures["most_before"] = max(figures["most_before"], worst_before.flashes)
        figures["most_after"] = max(figures["most_after"], worst_after.flashes)
        if worst_before.changes <= MOST_CHANGES - 1:
            figures["harmless_softened"] += sum(a is not b for a, b in zip(frames, shown, strict=True))
    return figures


def strobe(kind: str, rate_hz: int, random: np.random.Generator) -> Frames:
    """Return SIDE x SIDE frames that change once in a random number of frames."""
    hold, count = int(random.integers(1, 1 + max(1, rate_hz // 6))), round(SECONDS * rate_hz)
    dark = np.full((SIDE, SIDE, 3), random.integers(0, 60), np.uint8)
    light = np.full((SIDE, SIDE, 3), random.integers(150, 256), np.uint8)
    red, blue = np.zeros_like(dark), np.zeros_like(dark)
    red[..., 0], blue[..., 2] = random.integers(120, 256), 255
    rows, columns = np.mgrid[:SIDE, :SIDE]
    checks = ((rows // 12 + columns // 12) % 2 == 0)[..., None]
    frames: Frames = []
    for index in range(count):
        half, phase = index // hold, index / hold
        if kind == "red-blue":
            frame_HWC = (red, blue)[half % 2]
        elif kind == "red-black":
            frame_HWC = (red, dark)[half % 2]
        elif kind == "halves in turn":
            left = (columns < SIDE // 2)[..., None] == (half // 2 % 2 == 0)
            frame_HWC = np.where(left & (half % 2 == 1), light, dark)
        elif kind == "moving bar":
            frame_HWC = np.where(((columns - 3 * index) % SIDE < SIDE // 3)[..., None] & (half % 2 == 0), light, dark)
        elif kind == "checks":
            frame_HWC = np.where(checks == (half % 2 == 0), light, dark)
        elif kind == "swell":
            frame_HWC = dark + (light - dark) * (0.5 - 0.5 * np.cos(0.8 * np.pi * phase))
        elif kind == "noise":
            frame_HWC = random.integers(0, 256, (12, 12, 3)).repeat(8, 0).repeat(8, 1)
        else:
            frame_HWC = (dark, light)[half % 2] if kind == "white" else (dark, light, red, blue)[random.integers(4)]
        frames.append(np.array(frame_HWC, np.uint8))
    return frames


def measure_play(frames: Frames, values: dict[str, float]) -> dict[str, float]:
    """Apply effects to the shipped model's frames with four onsets a second, and compare guarded frames with unguarded ones."""
    fps = read_card(Path(DEFAULT_MODEL)).fps
    effect_chain, plain, clock = EffectChain(), EffectChain(), WallClock()
    shown: Frames = []
    unguarded: Frames = []
    costs = {True: list[float](), False: list[float]()}
    for index, frame_HWC in enumerate(frames):
        time_s = index / fps
        features = AudioFeatures(
            onsets=1, onset_strength=1.0, onset_age_s=time_s * ONSETS_A_SECOND % 1.0 / ONSETS_A_SECOND
        )
        effects = effect_parameters(values, features)
        unguarded.append(plain.apply(frame_HWC, replace(effects, guarded=False), time_s))
        softened, started_s = effect_chain.meter.softened, clock.now_s()
        shown.append(effect_chain.apply(frame_HWC, effects, time_s))
        costs[effect_chain.meter.softened > softened].append(clock.now_s() - started_s)
    changes = [float(np.abs(a.astype(int) - b).mean()) for a, b in zip(unguarded, shown, strict=True)]
    softened_by = [change for change in changes if change > 0.0]
    times = np.arange(len(frames)) / fps
    return {
        "frames": len(frames),
        "most_before": worst(unguarded, times).flashes,
        "most_after": worst(shown, times).flashes,
        "softened": effect_chain.meter.softened,
        "levels_changed": round(float(np.mean(softened_by)), 2) if softened_by else 0.0,
        "unsoftened_ms": _median_ms(costs[False]),
        "softened_ms": _median_ms(costs[True]),
    }


def _median_ms(costs: list[float]) -> float:
    return round(1e3 * float(np.median(costs)), 3) if costs else 0.0


if __name__ == "__main__":
    run_main(main)
