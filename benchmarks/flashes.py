"""What the flash guard lets out, judged by the definition, and what it leaves alone.

    python -m benchmarks.flashes [--sound FILE] [--strobes N]

Strobes of many kinds, frame rates and places go through the guard; the definition in tests/engine/render/effects/flash_definition.py, which
shares no code with it, counts what came and what was shown. Then the shipped model plays the demonstration, and FILE, without
effects and with strong ones: how many pictures are touched, by how much, and what a picture costs. Cost is wall-clock time on
this machine as it is.
"""

from __future__ import annotations

import argparse
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
from engine.render.effects.effect_parameters import EffectParameters, look
from engine.render.effects.flash_count import MOST_CHANGES
from engine.render.effects.flash_guard import FlashGuard
from tests.engine.render.effects.flash_definition import worst

Images = list[NDArray[np.uint8]]

SIDE, SECONDS = 96, 3.0
RATES_HZ = (10, 20, 30, 60)
KINDS = ("white", "red-blue", "red-black", "halves in turn", "moving bar", "checks", "swell", "noise", "random cuts")
HITS_A_SECOND = 4.0
STRONG = {"onset_brightness": 0.6, "onset_zoom": 0.1, "onset_glow": 0.6, "onset_decay_ms": 120.0}


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what the flash guard lets out and what it leaves alone.")
    parser.add_argument("--sound", help="a sound or video file that the shipped model plays beside the demonstration")
    parser.add_argument("--strobes", type=int, default=8, help="shows of each kind (default 8)")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long the model plays (default 20)")
    parser.add_argument("--no-record", action="store_true", help="print only")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    strobes = [judge_kind(kind, arguments.strobes) for kind in KINDS]
    columns = ("shows", "harmful came", "harmful shown", "most flashes came", "shown", "touched of harmless")
    print_table(["strobe", *columns], [[kind, *row.values()] for kind, row in zip(KINDS, strobes, strict=True)])
    sources: dict[str, Any] = {"demo": demo_source()}
    if arguments.sound:
        sources["sound"] = MediaFileSource(arguments.sound)
    model: dict[str, Any] = {}
    for name, source in sources.items():
        images = played(source, arguments.seconds)
        model[name] = judge_play(images, {})
        model[f"{name}, strong hits"] = judge_play(images, STRONG)
    print()
    print_table(["shipped model", *next(iter(model.values()))], [[name, *row.values()] for name, row in model.items()])
    if not arguments.no_record:
        figures = {"strobes": dict(zip(KINDS, strobes, strict=True)), "played": model, "seconds": SECONDS}
        append_record("flashes", figures, model=Path(DEFAULT_MODEL).name)
    return 0


def judge_kind(kind: str, count: int) -> dict[str, int]:
    """Play shows of one kind through the guard and count by the definition."""
    figures = dict.fromkeys(
        ("shows", "harmful_came", "harmful_shown", "most_came", "most_shown", "touched_harmless"), 0
    )
    for seed in range(count):
        random = np.random.default_rng([KINDS.index(kind), seed])
        rate_hz = RATES_HZ[seed % len(RATES_HZ)]
        times = (np.arange(round(SECONDS * rate_hz)) + random.uniform(0.0, 0.3)) / rate_hz
        images = strobe(kind, rate_hz, random)
        guard = FlashGuard()
        shown = [guard.show(image, time) for image, time in zip(images, times, strict=True)]
        came_worst, shown_worst = worst(images, times), worst(shown, times)
        figures["shows"] += 1
        figures["harmful_came"] += came_worst.harmful
        figures["harmful_shown"] += shown_worst.harmful
        figures["most_came"] = max(figures["most_came"], came_worst.flashes)
        figures["most_shown"] = max(figures["most_shown"], shown_worst.flashes)
        if came_worst.changes <= MOST_CHANGES - 1:
            figures["touched_harmless"] += sum(a is not b for a, b in zip(images, shown, strict=True))
    return figures


def strobe(kind: str, rate_hz: int, random: np.random.Generator) -> Images:
    """Make a show of SIDE x SIDE pictures that changes once in a random number of pictures."""
    hold, frames = int(random.integers(1, 1 + max(1, rate_hz // 6))), round(SECONDS * rate_hz)
    dark = np.full((SIDE, SIDE, 3), random.integers(0, 60), np.uint8)
    light = np.full((SIDE, SIDE, 3), random.integers(150, 256), np.uint8)
    red, blue = np.zeros_like(dark), np.zeros_like(dark)
    red[..., 0], blue[..., 2] = random.integers(120, 256), 255
    rows, columns = np.mgrid[:SIDE, :SIDE]
    checks = ((rows // 12 + columns // 12) % 2 == 0)[..., None]
    images: Images = []
    for frame in range(frames):
        turn, phase = frame // hold, frame / hold
        if kind == "red-blue":
            image = (red, blue)[turn % 2]
        elif kind == "red-black":
            image = (red, dark)[turn % 2]
        elif kind == "halves in turn":
            left = (columns < SIDE // 2)[..., None] == (turn // 2 % 2 == 0)
            image = np.where(left & (turn % 2 == 1), light, dark)
        elif kind == "moving bar":
            image = np.where(((columns - 3 * frame) % SIDE < SIDE // 3)[..., None] & (turn % 2 == 0), light, dark)
        elif kind == "checks":
            image = np.where(checks == (turn % 2 == 0), light, dark)
        elif kind == "swell":
            image = dark + (light - dark) * (0.5 - 0.5 * np.cos(0.8 * np.pi * phase))
        elif kind == "noise":
            image = random.integers(0, 256, (12, 12, 3)).repeat(8, 0).repeat(8, 1)
        else:
            image = (dark, light)[turn % 2] if kind == "white" else (dark, light, red, blue)[random.integers(4)]
        images.append(np.array(image, np.uint8))
    return images


def judge_play(images: Images, values: dict[str, float]) -> dict[str, float]:
    """Finish pictures of the shipped model with a hit four times a second, guarded, and compare them with unguarded ones."""
    fps = read_card(Path(DEFAULT_MODEL)).fps
    effect_chain, plain, clock = EffectChain(), EffectChain(), WallClock()
    shown: Images = []
    unguarded: Images = []
    costs = {True: list[float](), False: list[float]()}
    for frame, image in enumerate(images):
        time_s = frame / fps
        hit = AudioFeatures(onsets=1, onset_strength=1.0, onset_age_s=time_s * HITS_A_SECOND % 1.0 / HITS_A_SECOND)
        seen = look(values, hit)
        unguarded.append(plain.finish(image, unguarded_look(seen), time_s))
        softened, started_s = effect_chain.meter.softened, clock.now_s()
        shown.append(effect_chain.finish(image, seen, time_s))
        costs[effect_chain.meter.softened > softened].append(clock.now_s() - started_s)
    changes = [float(np.abs(a.astype(int) - b).mean()) for a, b in zip(unguarded, shown, strict=True)]
    touched = [change for change in changes if change > 0.0]
    times = np.arange(len(images)) / fps
    return {
        "pictures": len(images),
        "most_came": worst(unguarded, times).flashes,
        "most_shown": worst(shown, times).flashes,
        "touched": effect_chain.meter.softened,
        "levels_changed": round(float(np.mean(touched)), 2) if touched else 0.0,
        "untouched_ms": _median_ms(costs[False]),
        "softened_ms": _median_ms(costs[True]),
    }


def unguarded_look(seen: EffectParameters) -> EffectParameters:
    return EffectParameters(
        **{name: getattr(seen, name) for name in EffectParameters.__dataclass_fields__} | {"guarded": False}
    )


def _median_ms(costs: list[float]) -> float:
    return round(1e3 * float(np.median(costs)), 3) if costs else 0.0


if __name__ == "__main__":
    run_main(main)
